import { useMemo } from "react";
import type { Chart as ChartAnswer, GateAnswer, Graph, MachineLine } from "../../wire.ts";
import { useFeed } from "../api.ts";
import { Chart } from "../chart/chart.tsx";
import { edgeText } from "../chart/plan.ts";
import { countText } from "../moment.ts";
import { Empty, PageTitle, Panel, Pill } from "../parts.tsx";
import { actorHref, replaceRoute } from "../route.ts";

type Marks = Readonly<Record<string, "added" | "removed" | "changed">>;
interface Compared {
  readonly left: Marks;
  readonly right: Marks;
  readonly lines: ReadonlyArray<{ readonly what: "added" | "removed" | "changed"; readonly text: string }>;
}

const compare = (left: Graph, right: Graph): Compared => {
  const marks = { left: {} as Record<string, "added" | "removed" | "changed">, right: {} as Record<string, "added" | "removed" | "changed"> };
  const lines: Array<Compared["lines"][number]> = [];
  const pair = <A extends { readonly id: string }>(olds: ReadonlyArray<A>, news: ReadonlyArray<A>, same: (one: A) => unknown, name: (one: A) => string) => {
    const before = new Map(olds.map((one) => [one.id, one]));
    const after = new Map(news.map((one) => [one.id, one]));
    for (const one of olds) {
      const other = after.get(one.id);
      if (other === undefined) {
        marks.left[one.id] = "removed";
        lines.push({ what: "removed", text: name(one) });
      } else if (JSON.stringify(same(one)) !== JSON.stringify(same(other))) {
        marks.left[one.id] = "changed";
        marks.right[one.id] = "changed";
        lines.push({ what: "changed", text: name(other) });
      }
    }
    for (const one of news)
      if (!before.has(one.id)) {
        marks.right[one.id] = "added";
        lines.push({ what: "added", text: name(one) });
      }
  };
  pair(
    left.nodes.filter(({ parent }) => parent !== undefined),
    right.nodes.filter(({ parent }) => parent !== undefined),
    ({ type, initial, entry, exit, invokes, tags }) => ({ type, initial, entry, exit, invokes, tags }),
    ({ path }) => `state ${path}`,
  );
  pair(
    left.edges,
    right.edges,
    ({ targets, guard, actions, delayMs, reenter }) => ({ targets, guard, actions, delayMs, reenter }),
    (edge) => `${edge.source.split(".").slice(1).join(".") || "root"}: ${edgeText(edge)}`,
  );
  return { left: marks.left, right: marks.right, lines };
};

/** Two forms of a machine side by side, with what is different, and what it means for those who live. */
export const CompareView = ({ machines, left, right }: { readonly machines: ReadonlyArray<MachineLine>; readonly left: string | undefined; readonly right: string | undefined }) => {
  const versions = machines.filter(({ machine }) => machines.filter((other) => other.machine === machine).length > 1);
  const first = left ?? versions.find(({ current }) => !current)?.hash ?? machines[0]?.hash ?? "";
  const second =
    right ?? machines.find(({ machine, current, hash }) => current && hash !== first && machine === machines.find((one) => one.hash === first)?.machine)?.hash ?? machines[1]?.hash ?? first;
  const one = useFeed<ChartAnswer>("chart", { hash: first }, first !== "").value;
  const other = useFeed<ChartAnswer>("chart", { hash: second }, second !== "").value;
  const compared = useMemo(() => (one === undefined || other === undefined ? undefined : compare(one.graph, other.graph)), [one, other]);
  const leftOverlay = useMemo(() => ({ marks: compared?.left ?? {}, stateCounts: one?.fleet.states ?? {} }), [compared, one]);
  const rightOverlay = useMemo(() => ({ marks: compared?.right ?? {}, stateCounts: other?.fleet.states ?? {} }), [compared, other]);
  const choose = (side: "left" | "right", hash: string) => replaceRoute(["compare"], { left: first, right: second, [side]: hash });
  const chooser = (side: "left" | "right", value: string) => (
    <select aria-label={side === "left" ? "Before" : "After"} value={value} onChange={({ target }) => choose(side, target.value)}>
      {machines.map(({ machine, version, hash }) => (
        <option key={hash} value={hash}>
          {machine} {version} ({hash.slice(0, 6)})
        </option>
      ))}
    </select>
  );
  const gate = useFeed<GateAnswer>("gate", { left: first, right: second }, first !== second && first !== "").value;
  const groups = one === undefined || other === undefined ? [] : groupsOf(one, other.graph);
  return (
    <>
      <PageTitle sub={<p className="quiet">Two forms of a machine, side by side.</p>}>Compare</PageTitle>
      <div className="pair">
        <div>
          {chooser("left", first)}
          {one === undefined ? <Empty>Reading…</Empty> : <Chart graph={one.graph} overlay={leftOverlay} label={`Before: ${one.graph.machine} ${one.graph.version}`} />}
        </div>
        <div>
          {chooser("right", second)}
          {other === undefined ? <Empty>Reading…</Empty> : <Chart graph={other.graph} overlay={rightOverlay} label={`After: ${other.graph.machine} ${other.graph.version}`} />}
        </div>
      </div>
      <div className="columns even">
        <Panel title={`Differences (${compared?.lines.length ?? 0})`}>
          {compared === undefined || compared.lines.length === 0 ? (
            <Empty>The charts are the same. What their functions do is not compared.</Empty>
          ) : (
            <ul className="lines">
              {compared.lines.map(({ what, text }) => (
                <li key={`${what} ${text}`}>
                  <Pill kind={what}>{what}</Pill>
                  <span>{text}</span>
                </li>
              ))}
            </ul>
          )}
        </Panel>
        <Panel title="What a deploy would do to those on the left">
          {gate === undefined || gate.actors === 0 ? null : (
            <ul className="lines">
              <li>
                <Pill kind="good">same</Pill>
                <span>their histories lead to the same</span>
                <span className="push">
                  {countText(gate.same)} of {countText(gate.actors)}
                </span>
              </li>
              {gate.groups.map(({ kind, cause, actors, address, seq }) => (
                <li key={`${kind} ${cause}`}>
                  <Pill kind="bad">{kind}</Pill>
                  <a href={actorHref(address, "time", { seq })}>{cause}</a>
                  <span className="push">{countText(actors)}</span>
                </li>
              ))}
            </ul>
          )}
          <h3>Where they stand</h3>
          {groups.length === 0 ? (
            <Empty>Nobody is there.</Empty>
          ) : (
            <ul className="lines">
              {groups.map(({ state, count, fits }) => (
                <li key={state}>
                  <span>{state}</span>
                  <span className="push">{countText(count)}</span>
                  <Pill kind={fits ? "good" : "bad"}>{fits ? "the state is there" : "needs migrate"}</Pill>
                </li>
              ))}
            </ul>
          )}
        </Panel>
      </div>
    </>
  );
};

const groupsOf = ({ graph, fleet }: ChartAnswer, next: Graph) => {
  const ids = new Set(next.nodes.map(({ id, type }) => `${id} ${type}`));
  return graph.nodes
    .filter(({ id, parent }) => parent !== undefined && (fleet.states[id] ?? 0) > 0 && !graph.nodes.some((node) => node.parent === id && (fleet.states[node.id] ?? 0) > 0))
    .map(({ id, type, path }) => ({ state: path, count: fleet.states[id] ?? 0, fits: ids.has(`${id} ${type}`) }));
};
