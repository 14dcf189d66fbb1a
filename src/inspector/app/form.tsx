import { useId, useState } from "react";

/** What of a JSON schema a form is made of. */
interface JsonSchema {
  readonly type?: string | ReadonlyArray<string>;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: ReadonlyArray<string>;
  readonly enum?: ReadonlyArray<unknown>;
  readonly const?: unknown;
  readonly description?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

type Kind = "text" | "number" | "boolean" | "choice" | "json";

interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly isRequired: boolean;
  readonly choices: ReadonlyArray<unknown>;
  readonly hint: string | undefined;
}

const fieldsOf = (schema: unknown): ReadonlyArray<Field> | undefined => {
  const { properties, required = [], $defs = {} } = (schema ?? {}) as JsonSchema;
  if (properties === undefined) return undefined;
  return Object.entries(properties)
    .filter(([name]) => name !== "type" && name !== "replyTo")
    .map(([name, given]) => {
      const inner = given.$ref === undefined ? given : ($defs[given.$ref.slice(given.$ref.lastIndexOf("/") + 1)] ?? given);
      const { type, description } = inner;
      const choices = inner.enum ?? [];
      const kind: Kind = choices.length > 0 ? "choice" : type === "string" ? "text" : type === "number" || type === "integer" ? "number" : type === "boolean" ? "boolean" : "json";
      return { name, kind, isRequired: required.includes(name), choices, hint: description };
    });
};

/** Where a schema does not say what it is: JSON if it can be read as such, else text. */
const jsonOrText = (value: string): unknown => {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

export interface EventFormProps {
  readonly event: string;
  readonly schema: unknown;
  readonly label: string;
  readonly onSend: (event: { readonly type: string; readonly [key: string]: unknown }) => Promise<void>;
}

/** An event as a form: a field for each of its parts, or its JSON where no schema says what they are. */
export const EventForm = ({ event, schema, label, onSend }: EventFormProps) => {
  const fields = fieldsOf(schema);
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const [text, setText] = useState("{}");
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const id = useId();
  const made = (): { readonly type: string; readonly [key: string]: unknown } => {
    if (fields === undefined) return { ...(JSON.parse(text === "" ? "{}" : text) as object), type: event };
    const given = fields.flatMap(({ name, kind, choices, isRequired }): ReadonlyArray<readonly [string, unknown]> => {
      const value = values[name] ?? (kind === "boolean" ? "false" : kind === "choice" && isRequired ? "0" : "");
      if (value === "" && !isRequired) return [];
      if (kind === "number") return [[name, Number(value)]];
      if (kind === "boolean") return [[name, value === "true"]];
      if (kind === "choice") return [[name, choices[Number(value)]]];
      return [[name, kind === "json" ? jsonOrText(value) : value]];
    });
    return { ...Object.fromEntries(given), type: event };
  };
  const send = async () => {
    setProblem(undefined);
    setBusy(true);
    try {
      await onSend(made());
    } catch (error) {
      setProblem(error instanceof SyntaxError ? `this is no JSON: ${error.message}` : error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      className="event-form"
      aria-label={`${label} ${event}`}
      onSubmit={(submitted) => {
        submitted.preventDefault();
        void send();
      }}
    >
      {fields?.map(({ name, kind, choices, isRequired, hint }) => {
        const field = `${id}-${name}`;
        const common = {
          id: field,
          name,
          required: isRequired && kind !== "boolean",
          value: values[name] ?? "",
          onChange: ({ target }: { readonly target: { readonly value: string } }) => setValues({ ...values, [name]: target.value }),
        };
        return (
          <div className="field" key={name}>
            <label htmlFor={field}>
              {name}
              {isRequired ? null : <span className="quiet"> (optional)</span>}
            </label>
            {kind === "choice" || kind === "boolean" ? (
              <select {...common}>
                {isRequired ? null : <option value="">–</option>}
                {kind === "boolean"
                  ? ["false", "true"].map((value) => <option key={value}>{value}</option>)
                  : choices.map((choice, index) => (
                      <option key={String(choice)} value={index}>
                        {String(choice)}
                      </option>
                    ))}
              </select>
            ) : kind === "json" ? (
              <textarea {...common} rows={2} spellCheck={false} placeholder="JSON" />
            ) : (
              <input {...common} type={kind === "number" ? "number" : "text"} step="any" autoComplete="off" />
            )}
            {hint === undefined ? null : <small>{hint}</small>}
          </div>
        );
      })}
      {fields === undefined ? (
        <div className="field">
          <label htmlFor={`${id}-json`}>fields, as JSON</label>
          <textarea id={`${id}-json`} value={text} rows={3} spellCheck={false} onChange={({ target }) => setText(target.value)} />
        </div>
      ) : null}
      {problem === undefined ? null : (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" className="primary" disabled={isBusy}>
        {label} {event}
      </button>
    </form>
  );
};
