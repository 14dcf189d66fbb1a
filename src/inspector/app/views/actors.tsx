import { useMemo, useState } from "react";
import type { ActorLine, ActorList, Done, MachineLine, Preview, Role } from "../../wire.ts";
import { post } from "../api.ts";
import { countText, dateText, untilText, useNow } from "../moment.ts";
import { usePages } from "../pages.ts";
import { PageTitle, Pill, Problem, VirtualList } from "../parts.tsx";
import { actorHref, replaceRoute } from "../route.ts";
import { BulkDialog } from "./bulk.tsx";
import { toneOf } from "./overview.tsx";

export interface ActorsProps {
  readonly query: URLSearchParams;
  readonly title: string;
  readonly words: ReadonlyArray<string>;
  /** Only actors of this machine: its list has no chooser. */
  readonly machine?: string;
  readonly machines: ReadonlyArray<MachineLine>;
  readonly role: Role;
}

/** All actors, however many: filtered and sorted where they are, and shown as far as one looks. */
export const ActorsView = ({ query, title, words, machine, machines, role }: ActorsProps) => {
  const filter = {
    machine: machine ?? query.get("machine") ?? undefined,
    status: query.get("status") ?? undefined,
    state: query.get("state") ?? undefined,
    search: query.get("search") ?? undefined,
    sort: query.get("sort") ?? "at",
    order: query.get("order") ?? "down",
  };
  const now = useNow();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [isSending, setSending] = useState(false);
  const hashes = useMemo(() => machines.filter((line) => filter.machine === undefined || line.machine === filter.machine).map(({ hash }) => hash), [machines, filter.machine]);
  const { total, about, lineAt, loaded, error, onWindow } = usePages<ActorLine, ActorList>("actors", filter, hashes);
  const change = (next: Readonly<Record<string, string | undefined>>) => {
    const { machine: wanted, ...rest } = { ...filter, ...next };
    replaceRoute(
      words,
      Object.fromEntries(Object.entries(machine === undefined ? { machine: wanted, ...rest } : rest).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== "")),
    );
  };
  const states = useMemo(
    () =>
      [
        ...new Set(
          machines
            .filter((line) => line.machine === filter.machine)
            .flatMap(({ fleet }) => Object.keys(fleet.states))
            .map((id) => id.slice((filter.machine ?? "").length + 1)),
        ),
      ].filter((state) => state !== ""),
    [machines, filter.machine],
  );
  const isOperator = role === "operator";
  const head = (name: string, id: string, className = "") => (
    <span role="columnheader" className={className} aria-sort={filter.sort === id ? (filter.order === "up" ? "ascending" : "descending") : "none"}>
      <button type="button" onClick={() => change({ sort: id, order: filter.sort === id && filter.order === "down" ? "up" : "down" })}>
        {name}
        <span aria-hidden="true">{filter.sort === id ? (filter.order === "up" ? " ↑" : " ↓") : ""}</span>
      </button>
    </span>
  );
  return (
    <>
      <PageTitle
        sub={
          <p className="quiet" aria-live="polite">
            {about === undefined || total === about.of ? `${countText(total)} in all` : `${countText(total)} of ${countText(about.of)}`}
          </p>
        }
      >
        {title}
      </PageTitle>
      <div className="toolbar">
        <input type="search" placeholder="Address" aria-label="Filter by address" defaultValue={filter.search ?? ""} onChange={({ target }) => change({ search: target.value })} />
        {machine === undefined ? (
          <select aria-label="Machine" value={filter.machine ?? ""} onChange={({ target }) => change({ machine: target.value, state: undefined })}>
            <option value="">every machine</option>
            {[...new Set(machines.map((line) => line.machine))].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        ) : null}
        {states.length > 0 ? (
          <select aria-label="State" value={filter.state ?? ""} onChange={({ target }) => change({ state: target.value })}>
            <option value="">every state</option>
            {[...new Set([...states, ...(filter.state === undefined ? [] : [filter.state])])].map((state) => (
              <option key={state}>{state}</option>
            ))}
          </select>
        ) : null}
        <select aria-label="Status" value={filter.status ?? ""} onChange={({ target }) => change({ status: target.value })}>
          <option value="">every status</option>
          {["active", "done", "error", "stopped", "parked"].map((status) => (
            <option key={status}>{status}</option>
          ))}
        </select>
        {isOperator ? (
          <div className="push row">
            <button type="button" onClick={() => setChosen(chosen.size > 0 ? new Set() : new Set(loaded.map(({ address }) => address)))}>
              {chosen.size > 0 ? "Choose none" : "Choose what is shown"}
            </button>
            <button type="button" className="primary" disabled={chosen.size === 0} onClick={() => setSending(true)}>
              Send to {countText(chosen.size)}…
            </button>
          </div>
        ) : null}
      </div>
      {error === undefined ? null : <Problem text={error} />}
      <VirtualList
        key={JSON.stringify(filter)}
        total={total}
        label={title}
        onWindow={onWindow}
        head={
          <div role="rowgroup" className="virtual-head">
            <div role="row" className={`actor-row ${isOperator ? "choosable" : ""}`}>
              {isOperator ? <span role="columnheader" aria-label="Chosen" /> : null}
              {head("Address", "address")}
              {head("State", "state")}
              {head("Moves by itself", "due", "wide")}
              {head("Last moved", "at", "wide")}
              <span role="columnheader" className="number wide">
                Entries
              </span>
            </div>
          </div>
        }
        row={(index) => {
          const line = lineAt(index);
          if (line === undefined)
            return (
              <div role="row" key={index} className="actor-row" aria-rowindex={index + 1}>
                <span role="cell" className="quiet">
                  …
                </span>
              </div>
            );
          return (
            <div role="row" key={line.address} className={`actor-row ${isOperator ? "choosable" : ""}`} aria-rowindex={index + 1}>
              {isOperator ? (
                <span role="cell">
                  <input
                    type="checkbox"
                    aria-label={`Choose ${line.address}`}
                    checked={chosen.has(line.address)}
                    onChange={({ target }) => setChosen(new Set(target.checked ? [...chosen, line.address] : [...chosen].filter((address) => address !== line.address)))}
                  />
                </span>
              ) : null}
              <span role="cell" className="clip">
                <a href={actorHref(line.address)}>{line.address}</a>
              </span>
              <span role="cell">
                {line.parked === undefined ? (
                  <Pill kind={line.status === "active" ? toneOf(line.state) || "active" : line.status === "done" ? toneOf(line.state) || "good" : line.status === "error" ? "bad" : "over"}>
                    {line.state || line.status}
                  </Pill>
                ) : (
                  <Pill kind="bad">parked: {line.parked}</Pill>
                )}
              </span>
              <span role="cell" className="quiet wide">
                {line.due === undefined ? "" : untilText(line.due, now)}
              </span>
              <span role="cell" className="quiet wide" title={dateText(line.at)}>
                {untilText(Math.min(line.at, now - 1), now)}
              </span>
              <span role="cell" className="number quiet wide">
                {countText(line.seq)}
              </span>
            </div>
          );
        }}
      />
      {isSending ? <SendDialog addresses={[...chosen]} events={eventsOf(machines, [...chosen])} onClose={() => setSending(false)} onDone={() => setChosen(new Set())} /> : null}
    </>
  );
};

const eventsOf = (machines: ReadonlyArray<MachineLine>, addresses: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names = new Set(addresses.map((address) => address.slice(0, address.indexOf("/"))));
  return [...new Set(machines.filter(({ machine }) => names.has(machine)).map(({ machine }) => machine))];
};

/** One event for many: said what it would do first. */
const SendDialog = ({
  addresses,
  onClose,
  onDone,
}: {
  readonly addresses: ReadonlyArray<string>;
  readonly events: ReadonlyArray<string>;
  readonly onClose: () => void;
  readonly onDone: () => void;
}) => {
  const [type, setType] = useState("");
  const [fields, setFields] = useState("{}");
  const bulk = () => ({ action: "send" as const, addresses, event: { ...(JSON.parse(fields) as object), type } });
  return (
    <BulkDialog
      title={`Send to ${countText(addresses.length)} actors`}
      isReady={type !== ""}
      about={`${type} ${fields}`}
      preview={() => post<Preview>("preview", bulk())}
      carryOut={() => post<Done>("bulk", bulk())}
      verb="Send"
      onClose={onClose}
      onDone={onDone}
    >
      <div className="field">
        <label htmlFor="bulk-type">event</label>
        <input id="bulk-type" value={type} autoComplete="off" onChange={({ target }) => setType(target.value)} />
      </div>
      <div className="field">
        <label htmlFor="bulk-fields">fields, as JSON</label>
        <textarea id="bulk-fields" rows={2} spellCheck={false} value={fields} onChange={({ target }) => setFields(target.value)} />
      </div>
    </BulkDialog>
  );
};
