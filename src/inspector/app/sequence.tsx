import type { Sequence } from "../wire.ts";
import { useFeed } from "./api.ts";
import { clockText } from "./moment.ts";
import { Empty, Problem } from "./parts.tsx";
import { actorHref } from "./route.ts";

const column = 190;
const row = 40;
const head = 56;

/** Who told whom what, from top to bottom. */
export const SequenceDiagram = ({ address, seq }: { readonly address: string; readonly seq: number }) => {
  const { value, error } = useFeed<Sequence>("sequence", { address, seq });
  if (error !== undefined) return <Problem text={error} />;
  if (value === undefined) return <Empty>Reading…</Empty>;
  const { actors, messages } = value;
  if (messages.length === 0) return <Empty>Nobody told it anything yet.</Empty>;
  const width = actors.length * column;
  const height = head + messages.length * row + 24;
  const middle = (name: string) => actors.indexOf(name) * column + column / 2;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <div className="sequence" tabIndex={0} role="region" aria-label="Sequence diagram">
      <div className="sequence-heads" style={{ width }}>
        {actors.map((name) => (
          <div key={name} style={{ width: column }} className={name === address ? "own" : ""}>
            {!name.includes("/") || name === address ? (
              <span title={name}>{shortName(name)}</span>
            ) : (
              <a href={actorHref(name, "sequence")} title={name}>
                {shortName(name)}
              </a>
            )}
          </div>
        ))}
      </div>
      <svg width={width} height={height - head} viewBox={`0 ${head} ${width} ${height - head}`} role="img" aria-label={`${messages.length} messages between ${actors.length} actors`}>
        <defs>
          <marker id="told" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0.8 L7.5 4 L0 7.2 z" className="tip" />
          </marker>
        </defs>
        {actors.map((name) => (
          <line key={name} x1={middle(name)} x2={middle(name)} y1={head} y2={height} className="lifeline" />
        ))}
        {messages.map(({ from, to, type, at, seq: number, outcome }, index) => {
          const y = head + (index + 1) * row - 10;
          const [x1, x2] = [middle(from), middle(to)];
          const isSelf = from === to;
          const text = type.replace(/^taskwright\./, "");
          return (
            <g key={`${to} ${number}`} className={`message ${outcome}`}>
              <title>{`${clockText(at)} ${type}: ${outcome}`}</title>
              {isSelf ? <path d={`M${x1} ${y - 12}h26v12h-20`} markerEnd="url(#told)" /> : <line x1={x1} x2={x2 + (x2 > x1 ? -4 : 4)} y1={y} y2={y} markerEnd="url(#told)" />}
              <text x={isSelf ? x1 + 34 : (x1 + x2) / 2} y={isSelf ? y - 2 : y - 7} textAnchor={isSelf ? "start" : "middle"}>
                {text.length > 24 && isSelf ? `${text.slice(0, 23)}…` : text}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
};

const shortName = (name: string): string => (name.length <= 22 ? name : `…${name.slice(-21)}`);
