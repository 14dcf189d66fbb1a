import { useMemo, useState } from "react";
import type { Chart as ChartAnswer, Fleet, GraphNode, MachineLine } from "../../wire.ts";
import { useFeed } from "../api.ts";
import { Chart } from "../chart/chart.tsx";
import { edgeText } from "../chart/plan.ts";
import { useLive } from "../live.ts";
import { countText, durationText } from "../moment.ts";
import { Empty, PageTitle, Panel, Problem } from "../parts.tsx";
import { hrefOf } from "../route.ts";

/** A machine with its fleet: where actors stand, which ways they go, how long they stay. */
export const MachineView = ({ hash, machines }: { readonly hash: string; readonly machines: ReadonlyArray<MachineLine> }) => {
  const { value, error } = useFeed<ChartAnswer>("chart", { hash });
  const [told, setTold] = useState<Fleet>();
  const [selected, setSelected] = useState<GraphNode>();
  useLive([hash], undefined, ({ fleets }) => {
    const fleet = fleets.find((one) => one.hash === hash);
    if (fleet !== undefined) setTold(fleet);
  });
  const fleet = told?.hash === hash ? told : value?.fleet;
  const overlay = useMemo(
    () => ({
      stateCounts: fleet?.states ?? {},
      edgeCounts: fleet?.edges ?? {},
      faint: fleet !== undefined && Object.keys(fleet.edges).length > 0,
      notes: Object.fromEntries(Object.entries(fleet?.dwell ?? {}).map(([id, { mean }]) => [id, `stays ${durationText(mean)}`])),
    }),
    [fleet],
  );
  if (error !== undefined) return <Problem text={error} />;
  if (value === undefined || fleet === undefined) return <Empty>Reading…</Empty>;
  const { graph } = value;
  const others = machines.filter(({ machine, hash: other }) => machine === graph.machine && other !== hash);
  const never = graph.edges.filter(({ id }) => (fleet.edges[id] ?? 0) === 0);
  const node = selected === undefined ? undefined : graph.nodes.find(({ id }) => id === selected.id);
  return (
    <>
      <PageTitle
        sub={
          <p className="quiet">
            {graph.description} Version {graph.version}, form <code>{graph.hash}</code>.{" "}
            {others.map(({ hash: other, version }) => (
              <a key={other} href={hrefOf(["compare"], { left: other, right: hash })}>
                compare with {version}
              </a>
            ))}
          </p>
        }
      >
        {graph.machine}
      </PageTitle>
      <div className="split">
        <Chart graph={graph} overlay={overlay} label={`Chart of ${graph.machine}`} onSelect={setSelected} selected={node?.id} />
        <aside className="stack" aria-label="About the chart">
          {node === undefined ? (
            <Panel title="Fleet">
              <dl className="facts">
                <dt>actors</dt>
                <dd>
                  <a href={hrefOf(["actors"], { machine: graph.machine })}>{countText(fleet.total)}</a>
                  {fleet.complete ? null : <span className="quiet"> and counting</span>}
                </dd>
                {Object.entries(fleet.statuses).map(([status, count]) => [
                  <dt key={`t${status}`}>{status}</dt>,
                  <dd key={status}>
                    <a href={hrefOf(["actors"], { machine: graph.machine, status })}>{countText(count)}</a>
                  </dd>,
                ])}
              </dl>
              <p className="quiet small">Counts beside transitions: how often each was taken since somebody watches. Choose a state to see more of it, and its arrows.</p>
            </Panel>
          ) : (
            <Panel
              title={node.path === "" ? node.key : node.path}
              side={
                <button type="button" className="plain" onClick={() => setSelected(undefined)} aria-label="Close">
                  ×
                </button>
              }
            >
              <p>{node.description ?? <span className="quiet">It has no description.</span>}</p>
              <dl className="facts">
                <dt>actors</dt>
                <dd>
                  <a href={hrefOf(["actors"], { machine: graph.machine, state: node.path })}>{countText(fleet.states[node.id] ?? 0)}</a>
                </dd>
                {fleet.dwell[node.id] === undefined ? null : (
                  <>
                    <dt>stay</dt>
                    <dd>
                      {durationText(fleet.dwell[node.id]?.mean ?? 0)} on average, {durationText(fleet.dwell[node.id]?.max ?? 0)} at most, of {countText(fleet.dwell[node.id]?.count ?? 0)}
                    </dd>
                  </>
                )}
              </dl>
              <ul className="lines small">
                {graph.edges
                  .filter(({ source }) => source === node.id)
                  .map((edge) => (
                    <li key={edge.id}>
                      <span>
                        {edgeText(edge)} → {edge.targets.map((target) => target.slice(graph.machine.length + 1)).join(", ") || "stays"}
                      </span>
                      <span className="push">{countText(fleet.edges[edge.id] ?? 0)}</span>
                    </li>
                  ))}
              </ul>
            </Panel>
          )}
          <Panel title={`Never taken (${never.length} of ${graph.edges.length})`} grow>
            {never.length === 0 ? (
              <Empty>Every transition was taken.</Empty>
            ) : (
              <ul className="lines small">
                {never.map((edge) => (
                  <li key={edge.id}>
                    <span className="quiet">{edge.source.slice(graph.machine.length + 1) || graph.machine}</span>
                    <span>{edgeText(edge)}</span>
                  </li>
                ))}
              </ul>
            )}
          </Panel>
        </aside>
      </div>
    </>
  );
};
