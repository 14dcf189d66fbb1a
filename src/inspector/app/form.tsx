import { useId, useState } from "react";
import { type Field, fieldsOf, lengthOf, type Made, make, type Shape, type Values } from "./form-model.ts";

export interface EventFormProps {
  readonly event: string;
  readonly schema: unknown;
  readonly label: string;
  readonly onSend: (event: { readonly type: string; readonly [key: string]: unknown }) => Promise<void>;
}

/** What all fields of one form share. */
interface Form {
  readonly id: string;
  readonly values: Values;
  readonly problems: Made["problems"];
  readonly set: (at: string, value: string) => void;
}

/** An event as a form: a field for each of its parts, or its JSON where no schema says what they are. */
export const EventForm = ({ event, schema, label, onSend }: EventFormProps) => {
  const fields = fieldsOf(schema);
  const [values, setValues] = useState<Values>({});
  const [text, setText] = useState("{}");
  const [problem, setProblem] = useState<string>();
  // Nobody is told what is wrong before they tried.
  const [isTried, setTried] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const id = useId();
  const made = fields === undefined ? undefined : make(fields, values, event);
  const problems = isTried ? (made?.problems ?? {}) : {};
  const send = async () => {
    setProblem(undefined);
    setTried(true);
    const [first] = Object.keys(made?.problems ?? {});
    if (first !== undefined) {
      document.getElementById(`${id}${first}`)?.focus();
      return;
    }
    setBusy(true);
    try {
      await onSend(made?.event ?? { ...(JSON.parse(text === "" ? "{}" : text) as object), type: event });
    } catch (error) {
      setProblem(error instanceof SyntaxError ? `this is no JSON: ${error.message}` : error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  const form: Form = { id, values, problems, set: (at, value) => setValues((before) => ({ ...before, [at]: value })) };
  return (
    <form
      className="event-form"
      aria-label={`${label} ${event}`}
      noValidate
      onSubmit={(submitted) => {
        submitted.preventDefault();
        void send();
      }}
    >
      {fields?.map((field) => (
        <Row key={field.name} form={form} field={field} at={`/${field.name}`} />
      ))}
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

interface RowProps {
  readonly form: Form;
  readonly field: Field;
  /** Its place: `/items/0`. */
  readonly at: string;
}

const Row = ({ form, field, at }: RowProps) => {
  const { name, shape, isRequired, hint } = field;
  if (shape.kind === "fixed" && isRequired) return null;
  const optional = isRequired ? null : <span className="quiet"> (optional)</span>;
  const problem = form.problems[at];
  const about = (
    <>
      {hint === undefined ? null : <small>{hint}</small>}
      {problem === undefined ? null : (
        <small className="wrong" id={`${form.id}${at}-problem`} role="alert">
          {problem}
        </small>
      )}
    </>
  );
  if (shape.kind === "object" || shape.kind === "list" || shape.kind === "union")
    return (
      <fieldset className="field" id={`${form.id}${at}`} tabIndex={-1}>
        <legend>
          {name === "" ? "form" : name}
          {optional}
        </legend>
        <Inside form={form} shape={shape} at={at} name={name} isRequired={isRequired} />
        {about}
      </fieldset>
    );
  return (
    <div className="field">
      <label htmlFor={`${form.id}${at}`}>
        {name}
        {optional}
      </label>
      <Input form={form} field={field} at={at} />
      {about}
    </div>
  );
};

type Nested = Extract<Shape, { readonly kind: "object" | "list" | "union" }>;

const Inside = ({ form, shape, at, name, isRequired }: { readonly form: Form; readonly shape: Nested; readonly at: string; readonly name: string; readonly isRequired: boolean }) => {
  if (shape.kind === "object") return shape.fields.map((field) => <Row key={field.name} form={form} field={field} at={`${at}/${field.name}`} />);
  if (shape.kind === "union") {
    const chosen = form.values[at] ?? (isRequired ? "0" : "");
    const inner = chosen === "" ? undefined : shape.options[Number(chosen)]?.shape;
    return (
      <>
        <select aria-label={`${name === "" ? "form" : name}: which`} value={chosen} onChange={({ target }) => form.set(at, target.value)}>
          {isRequired ? null : <option value="">–</option>}
          {shape.options.map((option, index) => (
            <option key={option.name} value={index}>
              {option.name}
            </option>
          ))}
        </select>
        {inner === undefined ? null : inner.kind === "object" ? (
          <Inside form={form} shape={inner} at={`${at}/|`} name={name} isRequired />
        ) : (
          <Row form={form} field={{ name: "value", shape: inner, isRequired: true, hint: undefined }} at={`${at}/|`} />
        )}
      </>
    );
  }
  const length = lengthOf(form.values, at, shape.rules);
  return (
    <>
      {Array.from({ length }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the place of an item is what it is known by
        <Row key={index} form={form} field={{ name: `${name} ${index + 1}`, shape: shape.item, isRequired: true, hint: undefined }} at={`${at}/${index}`} />
      ))}
      <div className="row">
        <button type="button" className="chip" onClick={() => form.set(at, String(length + 1))}>
          Add to {name}
        </button>
        <button type="button" className="chip" disabled={length === 0} onClick={() => form.set(at, String(length - 1))}>
          Remove the last
        </button>
      </div>
    </>
  );
};

const inputTypes: Readonly<Record<string, string>> = { email: "email", date: "date", uri: "url" };

const Input = ({ form, field: { name, shape, isRequired }, at }: RowProps) => {
  const isWrong = form.problems[at] !== undefined;
  const common = {
    id: `${form.id}${at}`,
    name,
    required: isRequired && shape.kind !== "boolean",
    value: form.values[at] ?? "",
    "aria-invalid": isWrong,
    "aria-describedby": isWrong ? `${form.id}${at}-problem` : undefined,
    onChange: ({ target }: { readonly target: { readonly value: string } }) => form.set(at, target.value),
  };
  switch (shape.kind) {
    case "choice":
    case "boolean":
    case "fixed": {
      const texts = shape.kind === "choice" ? shape.choices.map(String) : shape.kind === "boolean" ? ["false", "true"] : [String(shape.value)];
      return (
        <select {...common}>
          {isRequired ? null : <option value="">–</option>}
          {texts.map((text, index) => (
            <option key={text} value={shape.kind === "boolean" ? text : index}>
              {text}
            </option>
          ))}
        </select>
      );
    }
    case "json":
      return <textarea {...common} rows={2} spellCheck={false} placeholder="JSON" />;
    case "number":
    case "integer":
      return <input {...common} type="number" step="any" min={shape.rules.minimum} max={shape.rules.maximum} autoComplete="off" />;
    case "text":
      return <input {...common} type={inputTypes[shape.rules.format ?? ""] ?? "text"} autoComplete="off" />;
    default:
      return null;
  }
};
