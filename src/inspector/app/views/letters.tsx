import { useState } from "react";
import type { EntryLine, LetterLine, OutboxLine, Preview, Role } from "../../wire.ts";
import { post, useFeed } from "../api.ts";
import { countText, dateText, untilText, useNow } from "../moment.ts";
import { Empty, PageTitle, Panel, Pill, Problem } from "../parts.tsx";
import { actorHref, hrefOf } from "../route.ts";
import { Tree } from "../tree.tsx";
import { BulkDialog } from "./bulk.tsx";

type Verb = "requeue" | "drop";

const useChosen = () => {
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const turn = (id: number, isChosen: boolean) => setChosen(new Set(isChosen ? [...chosen, id] : [...chosen].filter((other) => other !== id)));
  return { chosen, setChosen, turn };
};

/** What could not be handled: why, and what is to become of it. */
export const LettersView = ({ role }: { readonly role: Role }) => {
  const { value, error, again } = useFeed<ReadonlyArray<LetterLine>>("letters", { limit: 1_000 });
  const { chosen, setChosen, turn } = useChosen();
  const [search, setSearch] = useState("");
  const [verb, setVerb] = useState<Verb>();
  const [open, setOpen] = useState<number>();
  const [why, setWhy] = useState("");
  if (error !== undefined) return <Problem text={error} />;
  if (value === undefined) return <Empty>Reading…</Empty>;
  const shown = value.filter(({ address, type, error: why }) => `${address} ${type} ${why}`.toLowerCase().includes(search.toLowerCase())).reverse();
  const bulk = { action: verb ?? "requeue", letters: [...chosen], why } as const;
  return (
    <>
      <PageTitle sub={<p className="quiet">Events and actions that could not be handled. Requeue delivers one again; drop removes it for good.</p>}>Dead letters</PageTitle>
      <div className="toolbar">
        <input type="search" placeholder="Address, event or reason" aria-label="Filter dead letters" value={search} onChange={({ target }) => setSearch(target.value)} />
        {role === "operator" ? (
          <div className="push row">
            <button type="button" onClick={() => setChosen(chosen.size > 0 ? new Set() : new Set(shown.map(({ id }) => id)))}>
              {chosen.size > 0 ? "Choose none" : "Choose all"}
            </button>
            <button type="button" disabled={chosen.size === 0} onClick={() => setVerb("drop")}>
              Drop {countText(chosen.size)}…
            </button>
            <button type="button" className="primary" disabled={chosen.size === 0} onClick={() => setVerb("requeue")}>
              Requeue {countText(chosen.size)}…
            </button>
          </div>
        ) : null}
      </div>
      {shown.length === 0 ? (
        <Empty>{value.length === 0 ? "There are no dead letters." : "None fits the filter."}</Empty>
      ) : (
        <ul className="cards">
          {shown.slice(0, 200).map(({ id, address, at, type, kind, error: why, event }) => (
            <li key={id} className="card">
              <div className="row">
                {role === "operator" ? <input type="checkbox" aria-label={`Choose dead letter ${id}`} checked={chosen.has(id)} onChange={({ target }) => turn(id, target.checked)} /> : null}
                <b className="strong">#{id}</b>
                <code>{type}</code>
                {kind === "action" ? <Pill kind="wait">action</Pill> : null}
                <span className="quiet">to</span>
                <a href={actorHref(address)}>{address}</a>
                <time className="quiet push">{dateText(at)}</time>
              </div>
              <p className="why">{why}</p>
              <button type="button" className="plain" aria-expanded={open === id} onClick={() => setOpen(open === id ? undefined : id)}>
                {open === id ? "Hide the event" : "Show the event"}
              </button>
              {open === id ? <Tree value={event} label={`Event of dead letter ${id}`} /> : null}
            </li>
          ))}
        </ul>
      )}
      {verb === undefined ? null : (
        <BulkDialog
          title={`${verb === "requeue" ? "Requeue" : "Drop"} ${countText(chosen.size)} dead ${chosen.size === 1 ? "letter" : "letters"}`}
          verb={verb === "requeue" ? "Requeue" : "Drop"}
          isReady
          preview={() => post<Preview>("preview", bulk)}
          carryOut={() => post<{ done: number }>("bulk", bulk)}
          onClose={() => setVerb(undefined)}
          onDone={() => {
            setChosen(new Set());
            again();
          }}
        >
          <div className="field">
            <label htmlFor="letters-why">
              why <span className="quiet">(optional, stands in their history)</span>
            </label>
            <input id="letters-why" value={why} autoComplete="off" maxLength={1_000} onChange={({ target }) => setWhy(target.value)} />
          </div>
        </BulkDialog>
      )}
    </>
  );
};

/** The outboxes, and what waits in one. */
export const OutboxesView = ({ outboxes, name, role }: { readonly outboxes: ReadonlyArray<OutboxLine>; readonly name: string | undefined; readonly role: Role }) => {
  const wanted = name ?? outboxes[0]?.name;
  return (
    <>
      <PageTitle sub={<p className="quiet">What other systems are to get.</p>}>Outboxes</PageTitle>
      {wanted === undefined ? (
        <Empty>This engine has no outboxes.</Empty>
      ) : (
        <div className="columns">
          <Panel title={`Entries of ${wanted}`} grow>
            <Entries outbox={wanted} role={role} />
          </Panel>
          <Panel title="All outboxes">
            <ul className="lines">
              {outboxes.map((outbox) => (
                <li key={outbox.name}>
                  <a href={hrefOf(["outboxes", outbox.name])} aria-current={outbox.name === wanted ? "page" : undefined}>
                    {outbox.name}
                  </a>
                  <a className="quiet" href={actorHref(`outbox/${outbox.name}`)}>
                    {outbox.state}
                  </a>
                  <span className="push">
                    {countText(outbox.pending)} pending, {countText(outbox.poisoned)} poisoned
                  </span>
                </li>
              ))}
            </ul>
          </Panel>
        </div>
      )}
    </>
  );
};

const Entries = ({ outbox, role }: { readonly outbox: string; readonly role: Role }) => {
  const { value, error, again } = useFeed<ReadonlyArray<EntryLine>>("entries", { outbox, limit: 500 });
  const { chosen, setChosen, turn } = useChosen();
  const [verb, setVerb] = useState<Verb>();
  const now = useNow();
  if (error !== undefined) return <Problem text={error} />;
  if (value === undefined) return <Empty>Reading…</Empty>;
  const bulk = { action: verb ?? "requeue", outbox, entries: [...chosen] } as const;
  return (
    <>
      {role === "operator" ? (
        <div className="toolbar">
          <button type="button" disabled={chosen.size === 0} onClick={() => setVerb("drop")}>
            Drop {countText(chosen.size)}…
          </button>
          <button type="button" className="primary" disabled={chosen.size === 0} onClick={() => setVerb("requeue")}>
            Try {countText(chosen.size)} again…
          </button>
          <button type="button" className="push" onClick={again}>
            Read again
          </button>
        </div>
      ) : null}
      {value.length === 0 ? (
        <Empty>It is empty: everything was delivered.</Empty>
      ) : (
        <div className="scroll">
          <table className="plain">
            <thead>
              <tr>
                {role === "operator" ? <th aria-label="Chosen" /> : null}
                <th>Entry</th>
                <th>Status</th>
                <th className="number">Attempts</th>
                <th>Next</th>
                <th>Last failure</th>
              </tr>
            </thead>
            <tbody>
              {value.map(({ seq, type, key, lane, status, attempts, due, error: why }) => (
                <tr key={seq}>
                  {role === "operator" ? (
                    <td>
                      <input type="checkbox" aria-label={`Choose entry ${seq}`} checked={chosen.has(seq)} onChange={({ target }) => turn(seq, target.checked)} />
                    </td>
                  ) : null}
                  <td title={key}>
                    <b className="strong">{seq}</b> <code>{type}</code> {lane === "" ? null : <span className="quiet">{lane}</span>}
                  </td>
                  <td>
                    <Pill kind={status === "pending" ? "wait" : "bad"}>{status}</Pill>
                  </td>
                  <td className="number">{attempts}</td>
                  <td className="quiet">{status === "pending" ? untilText(due, now) : ""}</td>
                  <td className="quiet">{why}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {verb === undefined ? null : (
        <BulkDialog
          title={`${verb === "requeue" ? "Try again" : "Drop"}: ${chosen.size} of ${outbox}`}
          verb={verb === "requeue" ? "Try again" : "Drop"}
          isReady
          preview={() => post<Preview>("preview", bulk)}
          carryOut={() => post<{ done: number }>("bulk", bulk)}
          onClose={() => setVerb(undefined)}
          onDone={() => {
            setChosen(new Set());
            again();
          }}
        />
      )}
    </>
  );
};
