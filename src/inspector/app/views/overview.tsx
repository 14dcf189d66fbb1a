import { useState } from "react";
import type { Fleet, Frame, MachineLine, Overview } from "../../wire.ts";
import { type Loaded, useFeed } from "../api.ts";
import { useLive } from "../live.ts";
import { countText, durationText, useNow } from "../moment.ts";
import { Empty, PageTitle, Panel, Pill, Problem } from "../parts.tsx";
import { actorHref, hrefOf } from "../route.ts";

/** The engine's own machines are shown apart: hosts look for theirs. */
export const isOwn = (machine: string): boolean => ["activity", "live", "supervisor", "engine"].includes(machine);

export const OverviewView = ({ overview }: { readonly overview: Loaded<Overview> }) => {
  const [frame, setFrame] = useState<Frame>();
  const [fleets, setFleets] = useState<Readonly<Record<string, Fleet>>>({});
  const now = useNow();
  useLive(["*"], undefined, (told) => {
    setFrame(told);
    setFleets((before) => ({ ...before, ...Object.fromEntries(told.fleets.map((fleet) => [fleet.hash, fleet])) }));
  });
  // What no frame tells is asked for now and then: letters, outboxes.
  const second = Math.floor(now / 3_000);
  const fresh = useFeed<Overview>("overview", { turn: second });
  const [last, setLast] = useState<Overview>();
  if (fresh.value !== undefined && fresh.value !== last) setLast(fresh.value);
  const value = last ?? overview.value;
  if (overview.error !== undefined && value === undefined) return <Problem text={overview.error} />;
  if (value === undefined) return <Empty>Reading…</Empty>;
  const rate = frame?.rate ?? value.rate;
  const lines = value.machines.map((line) => ({ ...line, fleet: fleets[line.hash] ?? line.fleet }));
  const shown = lines.filter(({ fleet, current, machine }) => fleet.total > 0 || (current && !isOwn(machine)));
  const present = rate.at(-2) ?? 0;
  const all = shown.reduce((sum, { fleet }) => sum + fleet.total, 0);
  const active = shown.reduce((sum, { fleet }) => sum + (fleet.statuses.active ?? 0), 0);
  return (
    <>
      <PageTitle
        sub={
          <p className="quiet">
            {value.source === "engine" ? "Live, from the engine in this process." : value.source === "journal" ? "Read from the journal; nothing can be done from here." : "A history file."}
          </p>
        }
      >
        Overview
      </PageTitle>
      <div className="figures">
        <Figure text="Actors" value={countText(all)} note={`${countText(active)} active`} />
        <Figure text="Transitions per second" value={countText(present)} note={<Spark values={rate} />} />
        <Figure
          text="Dead letters"
          value={`${countText(value.letters)}${value.letters === 1_000 ? "+" : ""}`}
          note={value.letters > 0 ? <a href={hrefOf(["letters"])}>look at them</a> : "none"}
          tone={value.letters > 0 ? "bad" : undefined}
        />
        <Figure
          text="Engine"
          value={frame?.engine ?? value.engine.state}
          note={`${countText(value.engine.activities)} activities, ${countText(value.engine.waiting)} waiting`}
          tone={value.engine.state === "degraded" ? "bad" : undefined}
        />
      </div>
      <div className="columns">
        <Panel title="Machines" grow>
          {shown.length === 0 ? <Empty>No actor was started yet.</Empty> : <MachineTable lines={shown} />}
        </Panel>
        <div className="stack">
          <Panel title="Stuck">
            {value.stuck.length === 0 ? <Empty>Nothing is stuck.</Empty> : <IncidentList list={value.stuck} now={now} />}
            {value.stuckMore > 0 ? <p className="quiet small">and {countText(value.stuckMore)} more that look like it</p> : null}
          </Panel>
          <Panel title="Incidents">{value.incidents.length === 0 ? <Empty>Nothing went wrong.</Empty> : <IncidentList list={value.incidents} now={now} />}</Panel>
          {value.outboxes.length === 0 ? null : (
            <Panel title="Outboxes">
              <ul className="lines">
                {value.outboxes.map(({ name, state, pending, poisoned, unknown }) => (
                  <li key={name}>
                    <a href={hrefOf(["outboxes", name])}>{name}</a>
                    <span className="quiet">{state}</span>
                    <span className="push">{countText(pending)} pending</span>
                    {poisoned + unknown > 0 ? <Pill kind="bad">{countText(poisoned + unknown)} poisoned</Pill> : null}
                  </li>
                ))}
              </ul>
            </Panel>
          )}
        </div>
      </div>
    </>
  );
};

const Figure = ({ text, value, note, tone }: { readonly text: string; readonly value: string; readonly note: React.ReactNode; readonly tone?: string | undefined }) => (
  <section className={`figure ${tone ?? ""}`} aria-label={text}>
    <h2>{text}</h2>
    <p className="number">{value}</p>
    <div className="note">{note}</div>
  </section>
);

const Spark = ({ values }: { readonly values: ReadonlyArray<number> }) => {
  const most = Math.max(1, ...values);
  const step = 120 / (values.length - 1);
  const points = values.map((value, index) => `${(index * step).toFixed(1)},${(22 - (value / most) * 20).toFixed(1)}`).join(" ");
  return (
    <svg className="spark" viewBox="0 0 120 24" role="img" aria-label={`in the last minute at most ${most}`}>
      <polyline points={points} />
    </svg>
  );
};

const MachineTable = ({ lines }: { readonly lines: ReadonlyArray<MachineLine> }) => (
  <div className="scroll">
    <table className="plain">
      <thead>
        <tr>
          <th>Machine</th>
          <th className="number">Actors</th>
          <th>Where they stand</th>
        </tr>
      </thead>
      <tbody>
        {lines.map(({ machine, version, hash, fleet, description }) => (
          <tr key={hash}>
            <td>
              <a className="strong" href={hrefOf(["machine", hash])} title={description}>
                {machine}
              </a>
              <span className="quiet"> {version}</span>
            </td>
            <td className="number">{countText(fleet.total)}</td>
            <td>
              <StateBar fleet={fleet} machine={machine} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);

/** The innermost states with their counts, the fullest first. */
export const leavesOf = ({ states }: Fleet): ReadonlyArray<readonly [string, number]> =>
  Object.entries(states)
    .filter(([id, count]) => count > 0 && !Object.keys(states).some((other) => other.startsWith(`${id}.`) && (states[other] ?? 0) > 0))
    .sort((left, right) => right[1] - left[1]);

const StateBar = ({ fleet, machine }: { readonly fleet: Fleet; readonly machine: string }) => (
  <ul className="chips">
    {leavesOf(fleet)
      .slice(0, 8)
      .map(([id, count]) => {
        const state = id.slice(machine.length + 1);
        return (
          <li key={id}>
            <a href={hrefOf(["actors"], { machine, state })} className={`chip ${toneOf(state)}`}>
              {state} <b>{countText(count)}</b>
            </a>
          </li>
        );
      })}
  </ul>
);

/** A colour for the states whose names say how it went. */
export const toneOf = (state: string): string =>
  /(^|\.)(done|delivered|succeeded|completed|approved|shipped)$/.test(state)
    ? "good"
    : /(^|\.)(dead|failed|error|poisoned|expired|overdue|lost)$/.test(state)
      ? "bad"
      : /(^|\.)(cancelled|stopped|retired|closed)$/.test(state)
        ? "over"
        : /(waiting|backingOff|parked|paused|queued)/.test(state)
          ? "wait"
          : "";

const IncidentList = ({ list, now }: { readonly list: Overview["stuck"]; readonly now: number }) => (
  <ul className="incidents">
    {list.map(({ at, address, text, state, mark }) => (
      <li key={`${address} ${at} ${text}`}>
        <div>
          {address === "" ? <b>engine</b> : <a href={actorHref(address)}>{address}</a>}
          <span className="quiet push">{durationText(Math.max(0, now - at))} ago</span>
        </div>
        <p>
          {mark === undefined ? null : <Pill kind="bad">{mark}</Pill>} {state === undefined || state === "" ? null : <code>{state}</code>} {text}
        </p>
      </li>
    ))}
  </ul>
);
