import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { ActorPage, Chart as ChartAnswer, Entry, History, Role, Stand } from "../../wire.ts";
import { get, linkTo, post, useFeed } from "../api.ts";
import { Chart } from "../chart/chart.tsx";
import { EventForm } from "../form.tsx";
import { useLive } from "../live.ts";
import { clockText, countText, dateText, untilText, useNow } from "../moment.ts";
import { Empty, PageTitle, Panel, Pill, Problem, Tabs, VirtualList } from "../parts.tsx";
import { actorHref, hrefOf } from "../route.ts";
import { useRested } from "../rested.ts";
import { SequenceDiagram } from "../sequence.tsx";
import { Tree } from "../tree.tsx";
import { toneOf } from "./overview.tsx";
import { TaskPanels } from "./task.tsx";
import { TimeTravel } from "./time-travel.tsx";

const tabs = [
  ["now", "Now"],
  ["history", "History"],
  ["sequence", "Sequence"],
  ["time", "Time travel"],
] as const;

const none: ReadonlyArray<string> = [];

/** Edges of the path that are read; of longer histories the latest. */
const pathMax = 1_000;

/** One actor: where it stands, how it came there, what it waits for, what can be told to it. */
export const ActorView = ({ address, tab, query, role }: { readonly address: string; readonly tab: string; readonly query: URLSearchParams; readonly role: Role }) => {
  const [way, setWay] = useState<ReadonlyArray<Entry>>([]);
  const { value: actor, error, again } = useFeed<ActorPage>("actor", { address }, true, { after: tab === "now" ? way.at(-1)?.seq : undefined });
  const [last, setLast] = useState<ActorPage>();
  if (actor !== undefined && actor !== last) {
    setLast(actor);
    if (actor.way !== undefined) setWay(joined(way, actor.way));
  }
  const shown = actor ?? (last?.address === address ? last : undefined);
  const hash = shown?.hash ?? "";
  const [stand, setStand] = useState<Stand>();
  const moved = useRested(again);
  useLive(none, address, ({ actors }) => {
    const to = actors[address];
    if (to === undefined) return;
    setStand(to);
    moved();
  });
  const chart = useFeed<ChartAnswer>("chart", { hash }, shown?.isDrawn === true).value;
  if (error !== undefined && shown === undefined) return <Problem text={error} />;
  if (shown === undefined) return <Empty>Reading…</Empty>;
  // The frame says where it stands now; the rest of it follows.
  const ahead = stand !== undefined && stand.seq > shown.seq ? { ...shown, ...stand } : shown;
  const present = ahead.seq;
  return (
    <>
      <PageTitle
        sub={
          <div className="row wrap">
            {shown.parked === undefined ? null : <Pill kind="bad">parked: {shown.parked}</Pill>}
            <Pill kind={shown.status === "active" ? toneOf(ahead.state) || "active" : shown.status === "done" ? toneOf(ahead.state) || "good" : shown.status === "error" ? "bad" : "over"}>
              {ahead.state || shown.status}
            </Pill>
            <span className="quiet">
              <a href={hrefOf(["machine", shown.hash])}>{shown.machine}</a> {shown.version}, {shown.status}, {countText(ahead.seq)} {ahead.seq === 1 ? "entry" : "entries"}, last moved{" "}
              {dateText(shown.at)}
            </span>
            <a className="push" href={linkTo("export", { address })} download>
              Export history
            </a>
          </div>
        }
      >
        <span className="breadcrumbs">
          {shown.parents.map((parent, index) => (
            <a key={parent} href={actorHref(parent)}>
              {parent.slice((shown.parents[index - 1]?.length ?? -1) + 1)}
            </a>
          ))}
          <span>{address.slice((shown.parents.at(-1)?.length ?? -1) + 1)}</span>
        </span>
      </PageTitle>
      <Tabs label="About this actor" current={tab} tabs={tabs.map(([id, text]) => ({ id, text, href: actorHref(address, id) }))} />
      {tab === "history" ? (
        <HistoryList address={address} last={present} />
      ) : tab === "sequence" ? (
        <SequenceDiagram address={address} seq={present} />
      ) : tab === "time" ? (
        <TimeTravel key={address} actor={ahead} last={present} query={query} />
      ) : (
        <Now actor={ahead} read={shown.seq} way={way} onWay={setWay} chart={chart} role={role} again={again} />
      )}
    </>
  );
};

const joined = (way: ReadonlyArray<Entry>, entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> => {
  const first = entries[0]?.seq;
  return first === undefined ? way : [...way.filter(({ seq }) => seq < first), ...entries].slice(-pathMax);
};

type OnWay = (change: (way: ReadonlyArray<Entry>) => ReadonlyArray<Entry>) => void;

/** Reads the latest entries of a history that did not come with the actor: the first time, all of them. */
const useWay = (address: string, seq: number, way: ReadonlyArray<Entry>, onWay: OnWay): void => {
  const next = Math.max((way.at(-1)?.seq ?? 0) + 1, seq - pathMax + 1, 1);
  const isAsked = useRef(false);
  useEffect(() => {
    // One question at a time: an actor that moves all the time is still read.
    if (next > seq || isAsked.current) return;
    isAsked.current = true;
    get<History>("history", { address, from: next, limit: pathMax })
      .then(({ entries }) => onWay((before) => joined(before, entries)))
      .catch(() => {})
      .finally(() => {
        isAsked.current = false;
      });
  }, [address, next, seq, onWay]);
};

interface NowProps {
  readonly actor: ActorPage;
  /** The entry up to which it was read; where it stands may be ahead of that. */
  readonly read: number;
  readonly way: ReadonlyArray<Entry>;
  readonly onWay: OnWay;
  readonly chart: ChartAnswer | undefined;
  readonly role: Role;
  readonly again: () => void;
}

const Now = ({ actor, read, way: path, onWay, chart, role, again }: NowProps) => {
  const now = useNow();
  useWay(actor.address, read, path, onWay);
  const [isCovered, setCovered] = useState(false);
  const second = Math.floor(now / 1_000);
  // biome-ignore lint/correctness/useExhaustiveDependencies: timers count down by the second
  const overlay = useMemo(() => {
    const notes: Record<string, string> = {};
    for (const edge of chart?.graph.edges ?? []) {
      const timer = edge.kind === "after" && actor.active.includes(edge.source) ? actor.timers.find(({ label }) => label === edge.delay) : undefined;
      if (timer !== undefined) notes[edge.source] = untilText(timer.due, now);
    }
    return {
      active: new Set(actor.active),
      taken: new Set(path.flatMap(({ edges = [] }) => edges)),
      fresh: new Set(path.findLast(({ edges = [] }) => edges.length > 0)?.edges ?? []),
      notes,
    };
  }, [actor, path, chart, second]);
  return (
    <div className="split">
      {chart === undefined ? <Empty>No chart of this machine is at hand.</Empty> : <Chart graph={chart.graph} overlay={overlay} label={`Where ${actor.address} stands`} />}
      <aside className="stack" aria-label="State of the actor">
        {actor.task === undefined ? null : <TaskPanels task={actor.task} role={role} again={again} />}
        <Panel title="Why it waits" side={actor.verdict === "overdue" || actor.verdict === "parked" ? <Pill kind="bad">{actor.verdict}</Pill> : null}>
          <ul className="reasons">
            {actor.waiting.map(({ text, until, address }) => (
              <li key={text}>
                {text}
                {until === undefined ? null : <b className="count-down"> {untilText(until, now)}</b>}
                {address === undefined ? null : <a href={actorHref(address)}> open</a>}
              </li>
            ))}
          </ul>
        </Panel>
        {actor.moves.length === 0 || actor.task !== undefined ? null : <Moves actor={actor} role={role} again={again} />}
        <Panel
          title="Context"
          side={
            <button type="button" className="plain" aria-pressed={isCovered} onClick={() => setCovered(!isCovered)}>
              {isCovered ? "Show values" : "Hide values"}
            </button>
          }
        >
          <Tree value={actor.context} label="Context" covered={isCovered} />
          {actor.output === undefined || actor.output === null ? null : (
            <>
              <h3>Output</h3>
              <Tree value={actor.output} label="Output" covered={isCovered} />
            </>
          )}
          {actor.error === undefined || actor.error === null ? null : (
            <>
              <h3>Error</h3>
              <Tree value={actor.error} label="Error" covered={isCovered} />
            </>
          )}
        </Panel>
        <Panel title={`Timers (${actor.timers.length})`}>
          {actor.timers.length === 0 ? (
            <Empty>It waits for no deadline.</Empty>
          ) : (
            <ul className="lines">
              {actor.timers.map(({ id, label, due, held }) => (
                <li key={id} title={id}>
                  <span>{label}</span>
                  {held ? <Pill kind="bad">held</Pill> : <b className="push count-down">{untilText(due, now)}</b>}
                </li>
              ))}
            </ul>
          )}
        </Panel>
        <Panel title={`Children and activities (${actor.children.length})`}>
          {actor.children.length === 0 ? (
            <Empty>It has none.</Empty>
          ) : (
            <ul className="lines">
              {actor.children.map(({ id, address, src, status, state, children }) => (
                <li key={address}>
                  <a href={actorHref(address)}>{id}</a>
                  <span className="quiet">{src === id ? "" : src}</span>
                  {children > 0 ? <span className="quiet">+{children}</span> : null}
                  <span className="push">
                    <Pill kind={status === "active" ? "active" : status === "error" ? "bad" : "over"}>{state || status}</Pill>
                  </span>
                </li>
              ))}
            </ul>
          )}
        </Panel>
      </aside>
    </div>
  );
};

/** What can be told to the actor now, as forms. */
const Moves = ({ actor, role, again }: { readonly actor: ActorPage; readonly role: Role; readonly again: () => void }) => {
  const [open, setOpen] = useState<string>();
  const [told, setTold] = useState<string>();
  const send = async (event: { readonly type: string }) => {
    const receipt = await post<{ readonly outcome: string; readonly seq: number }>("send", { address: actor.address, event });
    setTold(`${event.type} was ${receipt.outcome}, entry ${receipt.seq}.`);
    if (receipt.outcome === "handled") setOpen(undefined);
    again();
  };
  return (
    <Panel title="What can be told to it">
      <ul className="moves">
        {actor.moves.map(({ event, schema, accepted, reason }) => (
          <li key={event} title={accepted === "depends" ? `a guard decides by what it carries${reason === undefined ? "" : `: ${reason}`}` : undefined}>
            {role === "operator" ? (
              <button type="button" className="move" aria-expanded={open === event} onClick={() => setOpen(open === event ? undefined : event)}>
                {event}
              </button>
            ) : (
              <code>{event}</code>
            )}
            {open === event ? <EventForm event={event} schema={schema} label="Send" onSend={send} /> : null}
          </li>
        ))}
      </ul>
      {role === "operator" ? null : <p className="quiet small">This page may only look: sending needs the operator's role.</p>}
      {told === undefined ? null : <p role="status">{told}</p>}
    </Panel>
  );
};

const page = 500;

/** Every entry of a history, read as far as one looks. */
export const HistoryList = ({ address, last, at, onChoose }: { readonly address: string; readonly last: number; readonly at?: number; readonly onChoose?: (seq: number) => void }) => {
  const [entries, setEntries] = useState<ReadonlyMap<number, Entry>>(new Map());
  const [about, setAbout] = useState<{ readonly first: number; readonly last: number; readonly broken: string | undefined }>();
  const asked = useRef(new Set<string>());
  const first = about?.first ?? 1;
  const onWindow = useCallback(
    (from: number, to: number) => {
      for (let number = Math.floor(from / page); number <= Math.floor(Math.max(from, to - 1) / page); number++) {
        // The last page grows.
        const mark = `${number} ${Math.min(last, (number + 1) * page + first)}`;
        if (asked.current.has(mark)) continue;
        asked.current.add(mark);
        get<History>("history", { address, from: first + number * page, limit: page }).then(
          (history) => {
            setAbout({ first: history.first, last: history.last, broken: history.broken });
            setEntries((before) => new Map([...before, ...history.entries.map((entry) => [entry.seq, entry] as const)]));
          },
          () => asked.current.delete(mark),
        );
      }
    },
    [address, last, first],
  );
  return (
    <>
      {about?.broken === undefined ? null : <Problem text={`From somewhere on, this history does not follow from the machine: ${about.broken}`} />}
      {first > 1 ? <p className="quiet">Entries before {first} were removed by retention.</p> : null}
      <VirtualList
        total={Math.max(0, last - first + 1)}
        label={`History of ${address}`}
        onWindow={onWindow}
        at={at === undefined ? undefined : at - first}
        head={
          <div role="rowgroup" className="virtual-head">
            <div role="row" className="history-row">
              {["#", "Time", "Event", "From", "State after", "Sends"].map((name, index) => (
                <span key={name} role="columnheader" className={index === 1 || index === 3 || index === 5 ? "wide" : ""}>
                  {name}
                </span>
              ))}
            </div>
          </div>
        }
        row={(index) => {
          const seq = first + index;
          const entry = entries.get(seq);
          return (
            <div role="row" key={seq} className={`history-row ${seq === at ? "chosen" : ""} ${entry?.outcome ?? ""}`} aria-rowindex={index + 1} aria-current={seq === at ? "step" : undefined}>
              <span role="cell" className="number quiet">
                {seq}
              </span>
              <span role="cell" className="quiet wide">
                {entry === undefined ? "" : clockText(entry.at)}
              </span>
              <span role="cell" className="clip">
                {entry === undefined ? (
                  "…"
                ) : onChoose === undefined ? (
                  <a href={actorHref(address, "time", { seq })}>{entry.type}</a>
                ) : (
                  <button type="button" className="plain link" onClick={() => onChoose(seq)}>
                    {entry.type}
                  </button>
                )}
                {entry !== undefined && entry.outcome !== "handled" ? <Pill kind={entry.outcome === "failed" ? "bad" : "over"}>{entry.outcome}</Pill> : null}
              </span>
              <span role="cell" className="quiet clip wide">
                {entry?.from}
              </span>
              <span role="cell" className="clip">
                {entry?.state}
              </span>
              <span role="cell" className="quiet clip wide">
                {entry?.sends?.map(({ to, type }) => `${type} → ${to}`).join(", ")}
              </span>
            </div>
          );
        }}
      />
    </>
  );
};
