import { useEffect, useMemo, useState } from "react";
import { createActor, type SnapshotFrom } from "xstate";
import type { ActorPage, Chart as ChartAnswer, History, Moment } from "../../wire.ts";
import { get, useFeed } from "../api.ts";
import { Chart } from "../chart/chart.tsx";
import { clockText, untilText } from "../moment.ts";
import { Empty, Panel, Pill } from "../parts.tsx";
import { player } from "../player.ts";
import { replaceRoute } from "../route.ts";
import { differencesOf, Tree } from "../tree.tsx";
import { HistoryList } from "./actor.tsx";
import { Differences, Path } from "./differences.tsx";
import { Fork } from "./fork.tsx";

/** Moments that were seen, so that going back and forth asks once. */
const useMoment = (address: string, seq: number): Moment | undefined => {
  const [moments, setMoments] = useState<ReadonlyMap<number, Moment>>(new Map());
  const wanted = moments.get(seq);
  const [last, setLast] = useState<Moment>();
  useEffect(() => {
    if (wanted !== undefined || seq < 1) return;
    const controller = new AbortController();
    get<Moment>("moment", { address, seq }, controller.signal).then(
      (moment) => setMoments((before) => new Map([...(before.size > 500 ? [] : before), [seq, moment]])),
      () => {},
    );
    return () => controller.abort();
  }, [address, seq, wanted]);
  if (wanted !== undefined && wanted !== last) setLast(wanted);
  // What was seen stays until the next is there: a slider must not flicker.
  return wanted ?? last;
};

/** Goes through an actor's history: the chart, the context and what changed follow. */
export const TimeTravel = ({ actor, last, query }: { readonly actor: ActorPage; readonly last: number; readonly query: URLSearchParams }) => {
  const { address } = actor;
  const [machine] = useState(() => createActor(player, { input: { seq: Number(query.get("seq") ?? 0) } }));
  const [shown, setShown] = useState<SnapshotFrom<typeof player>>(() => machine.getSnapshot());
  useEffect(() => {
    const subscription = machine.subscribe(setShown);
    machine.start();
    return () => subscription.unsubscribe();
  }, [machine]);
  const about = useFeed<History>("history", { address, from: 1, limit: 1, last }).value;
  useEffect(() => {
    if (about !== undefined) machine.send({ type: "BOUNDS", first: about.first, last: about.last });
  }, [machine, about]);
  const { seq, first, speed } = shown.context;
  const isPlaying = shown.value === "playing";
  const moment = useMoment(address, seq);
  const before = useMoment(address, seq - 1);
  const [other, setOther] = useState<number>();
  const compared = useMoment(address, other ?? 0);
  const hash = moment?.hash ?? actor.hash;
  const chart = useFeed<ChartAnswer>("chart", { hash }).value;
  const way = useFeed<History>("history", { address, from: Math.max(1, seq - 999), limit: Math.min(1_000, Math.max(1, seq)) }, seq > 0 && !isPlaying).value;
  const overlay = useMemo(
    () => ({ active: new Set(moment?.active ?? []), fresh: new Set(moment?.edges ?? []), taken: new Set(way?.entries.flatMap(({ seq: number, edges = [] }) => (number < seq ? edges : [])) ?? []) }),
    [moment, way, seq],
  );
  useEffect(() => {
    if (!isPlaying && seq > 0 && seq !== Number(query.get("seq"))) replaceRoute(["actor", address, "time"], { seq });
  }, [isPlaying, seq, address, query]);
  const end = shown.context.last;
  const base = other === undefined ? (before?.seq === seq - 1 ? before : undefined) : compared;
  return (
    <>
      <div
        className="player"
        role="group"
        aria-label="Time travel"
        onKeyDown={(pressed) => {
          if (pressed.target instanceof HTMLInputElement) return;
          if (pressed.key === "ArrowLeft") machine.send({ type: "STEP", by: -1 });
          else if (pressed.key === "ArrowRight") machine.send({ type: "STEP", by: 1 });
          else return;
          pressed.preventDefault();
        }}
      >
        <button type="button" aria-label="To the beginning" onClick={() => machine.send({ type: "JUMP", to: first })}>
          <Icon path="M2 2h2v10H2zM12 2v10L5 7z" />
        </button>
        <button type="button" aria-label="Step back" onClick={() => machine.send({ type: "STEP", by: -1 })}>
          <Icon path="M10 2v10L3 7z" />
        </button>
        <button type="button" className="primary" aria-label={isPlaying ? "Pause" : "Play"} onClick={() => machine.send({ type: isPlaying ? "PAUSE" : "PLAY" })}>
          <Icon path={isPlaying ? "M3 2h3v10H3zM8 2h3v10H8z" : "M3 1.5v11l9-5.5z"} />
        </button>
        <button type="button" aria-label="Step forward" onClick={() => machine.send({ type: "STEP", by: 1 })}>
          <Icon path="M4 2v10l7-5z" />
        </button>
        <button type="button" aria-label="To the end" onClick={() => machine.send({ type: "JUMP", to: end })}>
          <Icon path="M10 2h2v10h-2zM2 2v10l7-5z" />
        </button>
        <input
          type="range"
          aria-label="Entry of the history"
          aria-valuetext={moment === undefined ? `entry ${seq}` : `entry ${seq} of ${end}, ${moment.type}, then ${moment.state ?? "unknown"}`}
          min={first}
          max={end}
          value={seq}
          onChange={({ target }) => machine.send({ type: "JUMP", to: Number(target.value) })}
        />
        <output>
          {seq} <span className="quiet">of {end}</span>
        </output>
        <select aria-label="Speed" value={speed} onChange={({ target }) => machine.send({ type: "SPEED", speed: Number(target.value) })}>
          {[1, 2, 4, 10, 30].map((value) => (
            <option key={value} value={value}>
              {value} / s
            </option>
          ))}
        </select>
      </div>
      <div className="split">
        <div className="stack tall">
          {chart === undefined ? <Empty>No chart of this machine is at hand.</Empty> : <Chart graph={chart.graph} overlay={overlay} label={`${address} at entry ${seq}`} />}
        </div>
        <aside className="stack" aria-label="The entry">
          <Panel
            title={moment === undefined ? `Entry ${seq}` : `${seq} · ${moment.type}`}
            side={moment === undefined ? null : <Pill kind={moment.outcome === "handled" ? "active" : moment.outcome === "failed" ? "bad" : "over"}>{moment.outcome}</Pill>}
          >
            {moment === undefined ? (
              <Empty>Reading…</Empty>
            ) : (
              <>
                <dl className="facts">
                  <dt>time</dt>
                  <dd>{clockText(moment.at)}</dd>
                  <dt>from</dt>
                  <dd>{moment.from || "the host"}</dd>
                  <dt>state</dt>
                  <dd>
                    {before?.seq === seq - 1 && before.state !== moment.state && before.state !== undefined ? <span className="quiet">{before.state} → </span> : null}
                    <b>{moment.state ?? "not known: the machine's code is not at hand"}</b>
                  </dd>
                  {(moment.timers ?? []).map(({ id, label, due }) => [
                    <dt key={`t${id}`}>timer</dt>,
                    <dd key={id}>
                      {label}, {untilText(due, moment.at)}
                    </dd>,
                  ])}
                  {(moment.sends ?? []).map(({ to, type }, index) => [
                    // biome-ignore lint/suspicious/noArrayIndexKey: the same message may be sent twice, and their order is fixed
                    <dt key={`t${index}`}>sends</dt>,
                    // biome-ignore lint/suspicious/noArrayIndexKey: the same message may be sent twice, and their order is fixed
                    <dd key={index}>
                      {type} → {to}
                    </dd>,
                  ])}
                </dl>
                <Tree value={moment.event} label="Event" />
              </>
            )}
          </Panel>
          <Panel
            title={other === undefined ? "Context and its changes" : `Context, against entry ${other}`}
            side={
              <button type="button" className="plain" aria-pressed={other !== undefined} onClick={() => setOther(other === undefined ? seq : undefined)}>
                {other === undefined ? "Hold to compare" : "Let go"}
              </button>
            }
          >
            {moment?.context === undefined ? <Empty>It is not known.</Empty> : <Tree value={moment.context} before={base?.context} label="Context" />}
            {base === undefined || moment === undefined ? null : (
              <>
                {other === undefined ? null : <Between address={address} one={other} two={seq} />}
                <Differences fields={differencesOf(base.context, moment.context)} left={other === undefined ? "before" : `entry ${other}`} right={other === undefined ? "now" : `entry ${seq}`} />
              </>
            )}
          </Panel>
          {actor.replayable && moment !== undefined ? <Fork address={address} seq={seq} moment={moment} suggestions={suggestionsOf(chart, moment)} /> : null}
          <Panel title="Entries" grow>
            <HistoryList address={address} last={end} at={seq} onChoose={(to) => machine.send({ type: "JUMP", to })} />
          </Panel>
        </aside>
      </div>
    </>
  );
};

/** Entries between two points that are listed. */
const betweenMax = 500;

/** The way from one point to another, in the order of the history. */
const Between = ({ address, one, two }: { readonly address: string; readonly one: number; readonly two: number }) => {
  const [from, to] = [Math.min(one, two), Math.max(one, two)];
  const way = useFeed<History>("history", { address, from, limit: Math.min(betweenMax, to - from + 1) }).value;
  return way === undefined ? null : <Path label={`States from entry ${from} to ${to}`} entries={way.entries} />;
};

const Icon = ({ path }: { readonly path: string }) => (
  <svg viewBox="0 0 14 14" aria-hidden="true">
    <path d={path} />
  </svg>
);

const suggestionsOf = (chart: ChartAnswer | undefined, moment: Moment): ReadonlyArray<string> => [
  ...new Set(
    (chart?.graph.edges ?? []).flatMap(({ source, kind, event }) => (kind === "event" && event !== undefined && moment.active?.includes(source) === true && !event.includes("*") ? [event] : [])),
  ),
];
