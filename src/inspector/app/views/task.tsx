import { useState } from "react";
import type { OrderName, TaskPart } from "../../task-wire.ts";
import type { Done, Role } from "../../wire.ts";
import { post } from "../api.ts";
import { EventForm } from "../form.tsx";
import { untilText, useNow } from "../moment.ts";
import { Panel, Pill } from "../parts.tsx";
import { actorHref, hrefOf } from "../route.ts";
import { Tree } from "../tree.tsx";
import { OrderDialog, orderTexts } from "./order.tsx";
import { attemptText } from "./tasks.tsx";

export interface TaskProps {
  readonly task: TaskPart;
  readonly role: Role;
  readonly again: () => void;
}

/** What a task asks and who may answer, what it is, and the orders that it takes now. */
export const TaskPanels = ({ task, role, again }: TaskProps) => {
  const [order, setOrder] = useState<OrderName>();
  const now = useNow();
  const { id, state, kind, queue, tags, priority, failures, worker, until, why, needs, receipt, verdict, progress, usage, question, orders } = task;
  const facts: ReadonlyArray<readonly [string, React.ReactNode]> = [
    [
      "Kind",
      <a key="kind" href={hrefOf(["tasks"], { kind })}>
        {kind}
      </a>,
    ],
    [
      "Queue",
      <a key="queue" href={hrefOf(["tasks"], { queue })}>
        {queue}
      </a>,
    ],
    ["Priority", priority],
    ["Attempt", `${attemptText(task) || "none yet"}${failures > 0 ? `, ${failures} failed` : ""}`],
    [
      "Worker",
      worker === undefined ? undefined : (
        <a key="worker" href={actorHref(worker)}>
          {worker}
        </a>
      ),
    ],
    [
      "Needs",
      needs.length === 0
        ? undefined
        : needs.map((need) => (
            <a key={need} href={actorHref(`task/${need}`)}>
              {need}{" "}
            </a>
          )),
    ],
    ["Why", why === "" ? undefined : why],
    ["Until", until === undefined ? undefined : untilText(until, now)],
    ["Tags", tags.length === 0 ? undefined : tags.join(", ")],
    ["Used", usage.costUsd + usage.turns + usage.tokens === 0 ? undefined : `${usage.turns} turns, ${usage.tokens} tokens, $${usage.costUsd}`],
    ["Verdict", verdict === undefined ? undefined : `${verdict.verified ? "verified" : "rejected"} by ${verdict.by}: ${verdict.why}`],
  ];
  return (
    <>
      {question === undefined ? null : <QuestionPanel key={question.id} id={id} question={question} canAnswer={role === "operator" && orders.includes("answer")} until={until} again={again} />}
      <Panel title="Task" side={<Pill kind={state === "parked" ? "wait" : "active"}>{state}</Pill>}>
        <dl className="facts">{facts.flatMap(([name, value]) => (value === undefined ? [] : [<dt key={name}>{name}</dt>, <dd key={`${name} value`}>{value}</dd>]))}</dl>
        {progress === undefined ? null : <Tree value={{ progress }} label="Progress" />}
        {receipt === undefined ? null : <Tree value={{ receipt }} label="Receipt of its worker" />}
        {role === "operator" ? (
          <ul className="moves">
            {orderTexts
              .filter(([name]) => orders.includes(name))
              .map(([name, text]) => (
                <li key={name}>
                  <button type="button" onClick={() => setOrder(name)}>
                    {text}…
                  </button>
                </li>
              ))}
          </ul>
        ) : (
          <p className="quiet small">This page may only look: orders need the operator's role.</p>
        )}
      </Panel>
      {order === undefined ? null : <OrderDialog tasks={[id]} order={order} priority={priority} onClose={() => setOrder(undefined)} onDone={again} />}
    </>
  );
};

const isScalar = (value: unknown): boolean => typeof value === "string" || typeof value === "number" || typeof value === "boolean";

/** The answer's schema as a question may give it: choices as a list or as `options`, or a JSON schema as `schema`. */
const answerSchema = (data: unknown): { readonly schema: unknown; readonly isWhole: boolean } => {
  const { options, schema } = (typeof data === "object" && data !== null ? data : {}) as { readonly options?: unknown; readonly schema?: { readonly properties?: unknown } };
  const choices = Array.isArray(data) ? data : options;
  if (Array.isArray(choices) && choices.length > 0 && choices.every(isScalar)) return { schema: wrapped({ enum: choices }), isWhole: false };
  if (typeof schema === "object" && schema !== null) return schema.properties === undefined ? { schema: wrapped(schema), isWhole: false } : { schema, isWhole: true };
  return { schema: wrapped({}), isWhole: false };
};
const wrapped = (answer: unknown) => ({ type: "object", properties: { answer }, required: ["answer"] });

interface QuestionProps {
  readonly id: string;
  readonly question: NonNullable<TaskPart["question"]>;
  readonly canAnswer: boolean;
  readonly until: number | undefined;
  readonly again: () => void;
}

/** What a parked task asks, and a form for the answer. */
const QuestionPanel = ({ id, question, canAnswer, until, again }: QuestionProps) => {
  const [why, setWhy] = useState("");
  const now = useNow();
  const { schema, isWhole } = answerSchema(question.data);
  const isShown =
    question.data !== undefined && !Array.isArray(question.data) && !(typeof question.data === "object" && question.data !== null && ("options" in question.data || "schema" in question.data));
  const send = async ({ type: _, ...given }: { readonly type: string; readonly [key: string]: unknown }) => {
    const { done, refuses } = await post<Done>("bulk", { action: "order", order: "answer", tasks: [id], question: question.id, answer: isWhole ? given : (given.answer ?? null), why });
    if (done === 0) throw new Error(refuses?.[0]?.why ?? "it was not taken");
    again();
  };
  return (
    <Panel title={question.about === "verification" ? "Nobody verified it in time" : question.about === "blocked" ? "It is blocked" : "It asks"} side={<Pill kind="wait">waits</Pill>}>
      <p className="question">{question.text}</p>
      {until === undefined ? null : <p className="quiet small">An answer is taken until it is given up, {untilText(until, now)}.</p>}
      {isShown ? <Tree value={question.data} label="What belongs to the question" /> : null}
      {question.about === "verification" ? (
        <p className="quiet small">Verify or reject it below.</p>
      ) : canAnswer ? (
        <>
          <div className="field">
            <label htmlFor="answer-why">
              why <span className="quiet">(optional, stands in the history)</span>
            </label>
            <input id="answer-why" value={why} autoComplete="off" maxLength={1_000} onChange={({ target }) => setWhy(target.value)} />
          </div>
          <EventForm event={id} schema={schema} label="Answer" onSend={send} />
        </>
      ) : null}
    </Panel>
  );
};
