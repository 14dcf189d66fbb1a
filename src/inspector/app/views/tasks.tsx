import { useMemo, useState } from "react";
import type { TaskLine, TaskList } from "../../task-wire.ts";
import type { MachineLine, Role } from "../../wire.ts";
import { get } from "../api.ts";
import { countText, dateText, durationText, untilText, useNow } from "../moment.ts";
import { usePages } from "../pages.ts";
import { Empty, PageTitle, Pill, Problem, VirtualList } from "../parts.tsx";
import { actorHref, replaceRoute } from "../route.ts";
import { OrderDialog } from "./order.tsx";
import { toneOf } from "./overview.tsx";

export interface TasksProps {
  readonly query: URLSearchParams;
  readonly machines: ReadonlyArray<MachineLine>;
  readonly role: Role;
}

/** Attempts of those that its retries allow; what a question or a lost worker began again is beyond them. */
export const attemptText = ({ attempts, attemptsMax }: Pick<TaskLine, "attempts" | "attemptsMax">): string =>
  attempts === 0 ? "" : attempts > attemptsMax || attemptsMax === 1 ? String(attempts) : `${attempts} of ${attemptsMax}`;

/** All tasks of the dispatcher: what each waits for, and orders for many of them. */
export const TasksView = ({ query, machines, role }: TasksProps) => {
  const filter = {
    state: query.get("state") ?? undefined,
    queue: query.get("queue") ?? undefined,
    kind: query.get("kind") ?? undefined,
    search: query.get("search") ?? undefined,
    sort: query.get("sort") ?? "createdAt",
    order: query.get("order") ?? "down",
  };
  const hashes = useMemo(() => machines.filter(({ machine }) => machine === "task" || machine === "worker" || machine === "queue").map(({ hash }) => hash), [machines]);
  const { total, about, lineAt, error, onWindow, again } = usePages<TaskLine, TaskList>("tasks", filter, hashes);
  const now = useNow();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [isOrdering, setOrdering] = useState(false);
  const [problem, setProblem] = useState<string>();
  const change = (next: Readonly<Record<string, string | undefined>>) =>
    replaceRoute(["tasks"], Object.fromEntries(Object.entries({ ...filter, ...next }).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== "")));
  const isOperator = role === "operator";
  const chooseAll = () =>
    get<ReadonlyArray<string>>("task-ids", filter).then(
      (ids) => setChosen(new Set(ids)),
      (refused: Error) => setProblem(refused.message),
    );
  const head = (name: string, id: string, className = "") => (
    <span role="columnheader" className={className} aria-sort={filter.sort === id ? (filter.order === "up" ? "ascending" : "descending") : "none"}>
      <button type="button" onClick={() => change({ sort: id, order: filter.sort === id && filter.order === "down" ? "up" : "down" })}>
        {name}
        <span aria-hidden="true">{filter.sort === id ? (filter.order === "up" ? " ↑" : " ↓") : ""}</span>
      </button>
    </span>
  );
  const choice = (name: "state" | "queue" | "kind", counts: Readonly<Record<string, number>>) => (
    <select aria-label={`Filter by ${name}`} value={filter[name] ?? ""} onChange={({ target }) => change({ [name]: target.value })}>
      <option value="">every {name}</option>
      {[...new Set([...Object.keys(counts), ...(filter[name] === undefined ? [] : [filter[name]])])].sort().map((value) => (
        <option key={value} value={value}>
          {value} ({countText(counts[value] ?? 0)})
        </option>
      ))}
    </select>
  );
  return (
    <>
      <PageTitle
        sub={
          <p className="quiet" aria-live="polite">
            {about === undefined ? "Reading…" : total === about.of ? `${countText(total)} in all` : `${countText(total)} of ${countText(about.of)}`}
            {about?.complete === false ? ", more are being read" : ""}
          </p>
        }
      >
        Tasks
      </PageTitle>
      <div className="toolbar">
        <input type="search" placeholder="Id, key or tag" aria-label="Filter by id, key or tag" defaultValue={filter.search ?? ""} onChange={({ target }) => change({ search: target.value })} />
        {choice("state", about?.states ?? {})}
        {choice("queue", about?.queues ?? {})}
        {choice("kind", about?.kinds ?? {})}
        {isOperator ? (
          <div className="push row wrap">
            {chosen.size > 0 ? (
              <button type="button" onClick={() => setChosen(new Set())}>
                Choose none
              </button>
            ) : (
              <button type="button" disabled={total === 0} onClick={() => void chooseAll()}>
                Choose all {countText(total)}
              </button>
            )}
            <button type="button" className="primary" disabled={chosen.size === 0} onClick={() => setOrdering(true)}>
              Order for {countText(chosen.size)}…
            </button>
          </div>
        ) : null}
      </div>
      {(error ?? problem) === undefined ? null : <Problem text={error ?? problem ?? ""} />}
      {about?.of === 0 ? <Empty>No task was submitted yet.</Empty> : null}
      <VirtualList
        key={JSON.stringify(filter)}
        total={total}
        label="Tasks"
        onWindow={onWindow}
        head={
          <div role="rowgroup" className="virtual-head">
            <div role="row" className={`task-row ${isOperator ? "choosable" : ""}`}>
              {isOperator ? <span role="columnheader" aria-label="Chosen" /> : null}
              {head("Task", "id")}
              {head("State", "state")}
              <span role="columnheader" className="wide">
                Why
              </span>
              {head("Queue", "queue", "wide")}
              {head("Priority", "priority", "wide number")}
              {head("Attempt", "attempts", "wide number")}
              {head("Since", "since", "wide")}
              {head("Until", "until", "wide")}
            </div>
          </div>
        }
        row={(index) => {
          const task = lineAt(index);
          if (task === undefined)
            return (
              <div role="row" key={index} className="task-row" aria-rowindex={index + 1}>
                <span role="cell" className="quiet">
                  …
                </span>
              </div>
            );
          const { id, state, kind, queue, tags, priority, since, until, why, worker } = task;
          return (
            <div role="row" key={id} className={`task-row ${isOperator ? "choosable" : ""}`} aria-rowindex={index + 1}>
              {isOperator ? (
                <span role="cell">
                  <input
                    type="checkbox"
                    aria-label={`Choose ${id}`}
                    checked={chosen.has(id)}
                    onChange={({ target }) => setChosen(new Set(target.checked ? [...chosen, id] : [...chosen].filter((other) => other !== id)))}
                  />
                </span>
              ) : null}
              <span role="cell" className="clip" title={[kind, ...tags].join(", ")}>
                <a href={actorHref(`task/${id}`)}>{id}</a> <span className="quiet">{kind}</span>
              </span>
              <span role="cell">
                <Pill kind={toneOf(state) || "active"}>{state}</Pill>
              </span>
              <span role="cell" className="quiet clip wide" title={why}>
                {(state === "running" || state === "assigned") && worker !== undefined ? (
                  <>
                    {why.slice(0, why.indexOf(worker))}
                    <a href={actorHref(worker)}>{worker}</a>
                    {why.slice(why.indexOf(worker) + worker.length)}
                  </>
                ) : (
                  why
                )}
              </span>
              <span role="cell" className="clip wide">
                {queue}
              </span>
              <span role="cell" className="number wide">
                {priority}
              </span>
              <span role="cell" className="number wide">
                {attemptText(task)}
              </span>
              <span role="cell" className="quiet wide" title={dateText(since)}>
                {durationText(Math.max(0, now - since))}
              </span>
              <span role="cell" className="quiet wide">
                {until === undefined ? "" : untilText(until, now)}
              </span>
            </div>
          );
        }}
      />
      {isOrdering ? (
        <OrderDialog
          tasks={[...chosen]}
          onClose={() => setOrdering(false)}
          onDone={() => {
            setChosen(new Set());
            again();
          }}
        />
      ) : null}
    </>
  );
};
