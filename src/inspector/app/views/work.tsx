import { useMemo, useState } from "react";
import type { PlaceOrder, QueueLine, WorkerLine } from "../../task-wire.ts";
import type { Done, MachineLine, Preview, Role } from "../../wire.ts";
import { type Loaded, post, useFeed } from "../api.ts";
import { countText, durationText, untilText, useNow } from "../moment.ts";
import { useMoved } from "../pages.ts";
import { Empty, PageTitle, Panel, Pill, Problem } from "../parts.tsx";
import { actorHref, hrefOf } from "../route.ts";
import { BulkDialog } from "./bulk.tsx";

/** Lines that are drawn; the counts are of all. */
const linesMax = 500;
const tasksMax = 5;

export interface WorkProps {
  readonly machines: ReadonlyArray<MachineLine>;
  readonly role: Role;
}

/** Read again while tasks, workers and queues move. */
const useWork = <A,>(path: string, machines: ReadonlyArray<MachineLine>): Loaded<A> => {
  const loaded = useFeed<A>(path, {});
  const hashes = useMemo(() => machines.filter(({ machine }) => machine === "task" || machine === "worker" || machine === "queue").map(({ hash }) => hash), [machines]);
  useMoved(hashes, loaded.again);
  return loaded;
};

const tones: Readonly<Record<string, string>> = { active: "good", open: "good", lost: "bad", reconnecting: "wait", starting: "wait", paused: "wait", draining: "wait" };

/** Who carries out tasks, with what it has and how much room is left. */
export const WorkersView = ({ machines, role }: WorkProps) => {
  const { value: last, error, again } = useWork<ReadonlyArray<WorkerLine>>("workers", machines);
  const [order, setOrder] = useState<PlaceOrder>();
  const now = useNow();
  if (last === undefined) return error === undefined ? <Empty>Reading…</Empty> : <Problem text={error} />;
  const slots = last.reduce((sum, worker) => sum + worker.slots, 0);
  const used = last.reduce((sum, worker) => sum + worker.used, 0);
  return (
    <>
      <PageTitle
        sub={
          <p className="quiet" aria-live="polite">
            {countText(last.length)} with {countText(slots)} slots, {countText(used)} in use
          </p>
        }
      >
        Workers
      </PageTitle>
      {error === undefined ? null : <Problem text={error} />}
      <Panel title="Workers that are not retired">
        {last.length === 0 ? (
          <Empty>There is no worker: nothing is given out.</Empty>
        ) : (
          <div className="scroll">
            <table className="plain">
              <thead>
                <tr>
                  <th>Worker</th>
                  <th>State</th>
                  <th>Slots</th>
                  <th>Kinds</th>
                  <th>Tasks</th>
                  <th>Heard of</th>
                  <th>Lease due</th>
                  {role === "operator" ? <th>Orders</th> : null}
                </tr>
              </thead>
              <tbody>
                {last.slice(0, linesMax).map(({ id, address, state, owner, slots: all, used: taken, kinds, tasks, at, until, isDraining }) => (
                  <tr key={address}>
                    <td title={owner === "" ? "in this process" : owner}>
                      <a className="strong" href={actorHref(address)}>
                        {id}
                      </a>
                    </td>
                    <td>
                      <Pill kind={tones[state] ?? "over"}>{state}</Pill> {isDraining ? <Pill kind="wait">draining</Pill> : null}
                    </td>
                    <td>
                      <Use used={taken} slots={all} label={`slots of ${id}`} />
                    </td>
                    <td className="quiet">{kinds.join(", ")}</td>
                    <td>
                      {tasks.slice(0, tasksMax).map((task) => (
                        <a key={task} className="listed" href={actorHref(`task/${task}`)}>
                          {task}
                        </a>
                      ))}
                      {tasks.length > tasksMax ? <span className="quiet">and {countText(tasks.length - tasksMax)} more</span> : null}
                    </td>
                    <td className="quiet">{durationText(Math.max(0, now - at))} ago</td>
                    <td className="quiet">{until === undefined ? "" : untilText(until, now)}</td>
                    {role === "operator" ? (
                      <td>
                        <div className="row">
                          <button type="button" aria-label={`Drain ${id}`} disabled={isDraining} onClick={() => setOrder({ action: "worker", order: "drain", worker: id })}>
                            Drain…
                          </button>
                          <button type="button" aria-label={`Retire ${id}`} onClick={() => setOrder({ action: "worker", order: "retire", worker: id })}>
                            Retire…
                          </button>
                        </div>
                      </td>
                    ) : null}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
      {order === undefined ? null : <PlaceDialog order={order} onClose={() => setOrder(undefined)} onDone={again} />}
    </>
  );
};

const rateText = ({ rate }: QueueLine["policy"]): string => (rate === undefined ? "" : `${rate.tasksMax} in ${durationText(rate.perMs)}`);

/** Where tasks wait: how many, how much of the room is in use, and whether anything is given out. */
export const QueuesView = ({ machines, role }: WorkProps) => {
  const { value: last, error, again } = useWork<ReadonlyArray<QueueLine>>("queues", machines);
  const [order, setOrder] = useState<PlaceOrder>();
  if (last === undefined) return error === undefined ? <Empty>Reading…</Empty> : <Problem text={error} />;
  return (
    <>
      <PageTitle sub={<p className="quiet">What has not ended and no worker has counts as waiting, whatever it waits for.</p>}>Queues</PageTitle>
      {error === undefined ? null : <Problem text={error} />}
      <Panel title="Queues with tasks, or with rules">
        {last.length === 0 ? (
          <Empty>No task waits, and no queue has rules.</Empty>
        ) : (
          <div className="scroll">
            <table className="plain">
              <thead>
                <tr>
                  <th>Queue</th>
                  <th>State</th>
                  <th className="number">Waiting</th>
                  <th>Slots in use</th>
                  <th>Rate</th>
                  {role === "operator" ? <th>Orders</th> : null}
                </tr>
              </thead>
              <tbody>
                {last.slice(0, linesMax).map(({ name, state, policy, waiting, running }) => (
                  <tr key={name}>
                    <td>
                      <a className="strong" href={hrefOf(["tasks"], { queue: name })}>
                        {name}
                      </a>
                    </td>
                    <td>
                      <Pill kind={tones[state] ?? "over"}>{state}</Pill>
                    </td>
                    <td className="number">{countText(waiting)}</td>
                    <td>{policy.slotsMax === undefined ? countText(running) : <Use used={running} slots={policy.slotsMax} label={`slots of ${name}`} />}</td>
                    <td className="quiet">{rateText(policy)}</td>
                    {role === "operator" ? (
                      <td>
                        <div className="row">
                          {state === "open" ? (
                            <button type="button" aria-label={`Pause ${name}`} onClick={() => setOrder({ action: "queue", order: "pause", queue: name, why: "" })}>
                              Pause…
                            </button>
                          ) : (
                            <button type="button" aria-label={`Resume ${name}`} onClick={() => setOrder({ action: "queue", order: "resume", queue: name, why: "" })}>
                              Resume…
                            </button>
                          )}
                          <button type="button" aria-label={`Drain ${name}`} disabled={state === "draining"} onClick={() => setOrder({ action: "queue", order: "drain", queue: name, why: "" })}>
                            Drain…
                          </button>
                        </div>
                      </td>
                    ) : null}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
      {order === undefined ? null : <PlaceDialog order={order} onClose={() => setOrder(undefined)} onDone={again} />}
    </>
  );
};

const Use = ({ used, slots, label }: { readonly used: number; readonly slots: number; readonly label: string }) => (
  <span className="use">
    <meter aria-label={label} min={0} max={Math.max(1, slots)} value={used} /> {countText(used)} of {countText(slots)}
  </span>
);

const PlaceDialog = ({ order, onClose, onDone }: { readonly order: PlaceOrder; readonly onClose: () => void; readonly onDone: () => void }) => {
  const [why, setWhy] = useState("");
  const bulk = order.action === "queue" ? { ...order, why } : order;
  const verb = `${order.order[0]?.toUpperCase() ?? ""}${order.order.slice(1)}`;
  return (
    <BulkDialog
      title={`${verb} ${order.action === "queue" ? `the queue ${order.queue}` : `the worker ${order.worker}`}`}
      verb={verb}
      isReady={order.action === "worker" || why.trim() !== ""}
      preview={() => post<Preview>("preview", bulk)}
      carryOut={() => post<Done>("bulk", bulk)}
      onClose={onClose}
      onDone={onDone}
    >
      {order.action === "queue" ? (
        <div className="field">
          <label htmlFor="place-why">why (stands in its history)</label>
          <input id="place-why" value={why} autoComplete="off" maxLength={1_000} onChange={({ target }) => setWhy(target.value)} />
        </div>
      ) : null}
    </BulkDialog>
  );
};
