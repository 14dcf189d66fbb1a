import { useState } from "react";
import type { Moment, WhatIf } from "../../wire.ts";
import { post } from "../api.ts";
import { Panel, Pill, Problem } from "../parts.tsx";
import { Tree } from "../tree.tsx";
import { Differences, Path } from "./differences.tsx";

export interface ForkProps {
  readonly address: string;
  readonly seq: number;
  readonly moment: Moment;
  /** Events that its state takes. */
  readonly suggestions: ReadonlyArray<string>;
}

/** What would have come of other events here, beside what came. Nothing is stored. */
export const Fork = ({ address, seq, moment, suggestions }: ForkProps) => {
  const [text, setText] = useState("");
  const [answer, setAnswer] = useState<{ readonly seq: number; readonly what: WhatIf }>();
  const [error, setError] = useState<string>();
  const ask = async () => {
    setError(undefined);
    try {
      const events = text
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map((line) => (line.trim().startsWith("{") ? (JSON.parse(line) as { readonly type: string }) : { type: line.trim() }));
      setAnswer({ seq, what: await post<WhatIf>("what-if", { address, seq, events }) });
    } catch (refused) {
      setError(refused instanceof SyntaxError ? `this is no JSON: ${refused.message}` : refused instanceof Error ? refused.message : String(refused));
    }
  };
  return (
    <Panel title={`What if, after entry ${seq}`}>
      <form
        onSubmit={(submitted) => {
          submitted.preventDefault();
          void ask();
        }}
      >
        <div className="field">
          <label htmlFor="what-if">events, one a line: a type, or JSON</label>
          <textarea id="what-if" rows={2} spellCheck={false} value={text} placeholder={suggestions[0] ?? ""} onChange={({ target }) => setText(target.value)} />
        </div>
        <div className="row wrap">
          {suggestions.slice(0, 6).map((event) => (
            <button type="button" key={event} className="chip" onClick={() => setText(text === "" ? event : `${text}\n${event}`)}>
              {event}
            </button>
          ))}
          <button type="submit" className="primary push" disabled={text.trim() === ""}>
            Fork here
          </button>
        </div>
      </form>
      {error === undefined ? null : <Problem text={error} />}
      {answer === undefined || answer.seq !== seq ? null : <Answer what={answer.what} seq={seq} moment={moment} />}
    </Panel>
  );
};

const Answer = ({ what, seq, moment }: { readonly what: WhatIf; readonly seq: number; readonly moment: Moment }) => (
  <div role="status" className="what-if">
    <ol>
      {what.entries.map((entry) => (
        <li key={entry.seq}>
          <code>{entry.type}</code> {entry.outcome} → <b>{entry.state}</b>
          {entry.threw === undefined ? null : <p className="problem">{entry.threw}</p>}
        </li>
      ))}
    </ol>
    {what.open.length === 0 ? null : (
      <p className="small">
        <Pill kind="wait">waits</Pill> for {what.open.join(", ")}: what they would have answered is not known.
      </p>
    )}
    <h3>What really came</h3>
    {what.really.length === 0 ? <p className="quiet small">Nothing yet: entry {seq} is the last.</p> : <Path label="What really came" entries={what.really} />}
    <Differences fields={what.fields} left={`entry ${what.last}`} right="fork" />
    <h3>Context of the fork</h3>
    <Tree value={what.context} before={moment.context} label="Context of the fork" />
  </div>
);
