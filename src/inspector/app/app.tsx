import { useEffect, useRef, useState } from "react";
import type { Overview } from "../wire.ts";
import { useFeed } from "./api.ts";
import { type Connection, useLive } from "./live.ts";
import { countText } from "./moment.ts";
import { hrefOf, useRoute } from "./route.ts";
import { ActorView } from "./views/actor.tsx";
import { ActorsView } from "./views/actors.tsx";
import { CompareView } from "./views/compare.tsx";
import { LettersView, OutboxesView } from "./views/letters.tsx";
import { MachineView } from "./views/machine.tsx";
import { isOwn, OverviewView } from "./views/overview.tsx";
import { TasksView } from "./views/tasks.tsx";
import { QueuesView, WorkersView } from "./views/work.tsx";

const themes = ["system", "light", "dark"] as const;
type Theme = (typeof themes)[number];

const useTheme = (): readonly [Theme, () => void] => {
  const [theme, setTheme] = useState<Theme>(() => (localStorage.getItem("theme") as Theme | null) ?? "system");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  return [theme, () => setTheme(themes[(themes.indexOf(theme) + 1) % themes.length] as Theme)];
};

const nothing: ReadonlyArray<string> = [];

export const App = () => {
  const { words, query } = useRoute();
  const [place = "", id = "", tab = "now"] = words;
  const overview = useFeed<Overview>("overview", { place });
  const [last, setLast] = useState<Overview>();
  if (overview.value !== undefined && overview.value !== last) setLast(overview.value);
  const known = overview.value ?? last;
  const connection = useLive(nothing, undefined, () => {});
  const [theme, nextTheme] = useTheme();
  const main = useRef<HTMLElement>(null);
  const machines = known?.machines ?? [];
  const role = known?.role ?? "viewer";
  const where = place === "" ? "overview" : place;
  const title = place === "actor" ? id : place === "machine" ? (machines.find(({ hash }) => hash === id)?.machine ?? "Machine") : where;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new place begins at its title
  useEffect(() => {
    document.title = `${title} · Inspector`;
    main.current?.scrollTo(0, 0);
    main.current?.querySelector("h1")?.focus({ preventScroll: true });
  }, [place, id]);
  const link = (text: string, words: ReadonlyArray<string>, isHere: boolean, count?: number, params = {}) => (
    <li key={words.join("/")}>
      <a href={hrefOf(words, params)} aria-current={isHere ? "page" : undefined}>
        <span>{text}</span>
        {count === undefined || count === 0 ? null : <span className="count">{countText(count)}</span>}
      </a>
    </li>
  );
  const shown = machines.filter(({ machine, fleet, current }) => fleet.total > 0 || (current && !isOwn(machine)));
  const isWork = known?.work === true;
  const isList = where === "tasks" || where === "workers" || where === "queues";
  const lists = (["task", "worker", "queue"] as const).filter((machine) => isWork || machines.some((line) => line.machine === machine));
  const countOf = (machine: string) => machines.filter((line) => line.machine === machine).reduce((sum, { fleet }) => sum + (isWork ? (fleet.statuses.active ?? 0) : fleet.total), 0);
  return (
    <div className="app">
      <a
        className="skip"
        href="#main"
        onClick={(clicked) => {
          clicked.preventDefault();
          main.current?.querySelector("h1")?.focus();
        }}
      >
        To the content
      </a>
      <nav className="side" aria-label="Inspector">
        <p className="brand">
          <img src="./icon.svg" alt="" width="24" height="24" />
          <span>{known?.name ?? "Taskwright"}</span>
          <Light connection={connection} />
        </p>
        <ul>
          {link("Overview", ["overview"], where === "overview")}
          {link("All actors", ["actors"], where === "actors")}
          {lists.map((machine) => link(`${machine[0]?.toUpperCase()}${machine.slice(1)}s`, [`${machine}s`], where === `${machine}s`, countOf(machine)))}
          {(known?.outboxes.length ?? 0) > 0
            ? link(
                "Outboxes",
                ["outboxes"],
                where === "outboxes",
                known?.outboxes.reduce((sum, { pending }) => sum + pending, 0),
              )
            : null}
          {link("Dead letters", ["letters"], where === "letters", known?.letters)}
          {link("Compare", ["compare"], where === "compare")}
        </ul>
        <h2>Machines</h2>
        <ul>
          {shown.map(({ machine, version, hash, fleet }) =>
            link(shown.filter((other) => other.machine === machine).length > 1 ? `${machine} ${version}` : machine, ["machine", hash], where === "machine" && id === hash, fleet.total),
          )}
        </ul>
        <div className="foot">
          <button type="button" className="plain" onClick={nextTheme} title="Change the colours">
            {theme === "system" ? "System colours" : theme === "light" ? "Light" : "Dark"}
          </button>
          <span className="quiet">{role}</span>
        </div>
      </nav>
      <main id="main" ref={main}>
        {where === "overview" ? (
          <OverviewView overview={overview} />
        ) : where === "machine" ? (
          <MachineView key={id} hash={id} machines={machines} />
        ) : where === "actor" ? (
          <ActorView key={id} address={id} tab={tab} query={query} role={role} />
        ) : where === "actors" ? (
          <ActorsView query={query} title="All actors" words={["actors"]} machines={machines} role={role} />
        ) : known === undefined && isList ? null : isWork && where === "tasks" ? (
          <TasksView query={query} machines={machines} role={role} />
        ) : isWork && where === "workers" ? (
          <WorkersView machines={machines} role={role} />
        ) : isWork && where === "queues" ? (
          <QueuesView machines={machines} role={role} />
        ) : isList ? (
          <ActorsView key={where} query={query} title={`${where[0]?.toUpperCase()}${where.slice(1)}`} words={[where]} machine={where.slice(0, -1)} machines={machines} role={role} />
        ) : where === "outboxes" ? (
          <OutboxesView outboxes={known?.outboxes ?? []} name={id === "" ? undefined : id} role={role} />
        ) : where === "letters" ? (
          <LettersView role={role} />
        ) : where === "compare" ? (
          machines.length === 0 ? null : (
            <CompareView machines={machines} left={query.get("left") ?? undefined} right={query.get("right") ?? undefined} />
          )
        ) : (
          <p className="empty">
            There is nothing here. <a href={hrefOf(["overview"])}>Overview</a>
          </p>
        )}
      </main>
    </div>
  );
};

const Light = ({ connection }: { readonly connection: Connection }) => (
  <span className={`lamp ${connection}`} role="status" title={connection}>
    <span className="unseen">{connection === "live" ? "connected" : connection}</span>
  </span>
);
