import type { Entry } from "../../wire.ts";
import { countText } from "../moment.ts";

export interface Field {
  readonly path: string;
  readonly left?: unknown;
  readonly right?: unknown;
}

const shown = (value: unknown): string => (value === undefined ? "–" : JSON.stringify(value));

/** In which fields two states differ, both values beside each other. */
export const Differences = ({ fields, left, right }: { readonly fields: ReadonlyArray<Field>; readonly left: string; readonly right: string }) =>
  fields.length === 0 ? (
    <p className="quiet small">No field differs.</p>
  ) : (
    <table className="plain small differences">
      <caption>{fields.length === 1 ? "1 field differs" : `${countText(fields.length)} fields differ`}</caption>
      <thead>
        <tr>
          <th>Field</th>
          <th>{left}</th>
          <th>{right}</th>
        </tr>
      </thead>
      <tbody>
        {fields.map((field) => (
          <tr key={field.path}>
            <th scope="row">{field.path}</th>
            <td className={field.right === undefined ? "removed" : ""}>{shown(field.left)}</td>
            <td className={field.left === undefined ? "added" : "changed"}>{shown(field.right)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );

interface Step {
  readonly seq: number;
  readonly state: string;
  readonly types: ReadonlyArray<string>;
}

/** Entries in a row that leave an actor in the same state are one step of its way. */
const stepsOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Step> => {
  const steps: Array<Step> = [];
  for (const { seq, type, state = "not known" } of entries) {
    const last = steps.at(-1);
    if (last?.state === state) steps[steps.length - 1] = { ...last, types: [...last.types, type] };
    else steps.push({ seq, state, types: [type] });
  }
  return steps;
};

/** The states that an actor went through, each with what led into it. */
export const Path = ({ label, entries }: { readonly label: string; readonly entries: ReadonlyArray<Entry> }) => (
  <ol className="way" aria-label={label}>
    {stepsOf(entries).map(({ seq, state, types: [first, ...more] }) => (
      <li key={seq}>
        <code>{first}</code> → <b>{state}</b>
        {more.length === 0 ? null : (
          <span className="quiet" title={more.join(", ")}>
            {" "}
            and {countText(more.length)} more
          </span>
        )}
      </li>
    ))}
  </ol>
);
