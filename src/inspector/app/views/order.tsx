import { useState } from "react";
import type { OrderName, TaskOrder } from "../../task-wire.ts";
import type { Done, Preview } from "../../wire.ts";
import { post } from "../api.ts";
import { countText } from "../moment.ts";
import { BulkDialog } from "./bulk.tsx";

/** Orders as they are given here; an answer has its own form. */
export const orderTexts: ReadonlyArray<readonly [OrderName, string]> = [
  ["pause", "Pause"],
  ["resume", "Resume"],
  ["retryNow", "Retry now"],
  ["reprioritise", "Set priority"],
  ["verify", "Verify"],
  ["reject", "Reject"],
  ["expire", "Expire"],
  ["cancel", "Cancel"],
];
const textOf = (order: OrderName): string => orderTexts.find(([name]) => name === order)?.[1] ?? order;

export interface OrderDialogProps {
  readonly tasks: ReadonlyArray<string>;
  /** Absent: it is chosen here. */
  readonly order?: OrderName;
  readonly priority?: number;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** An order for tasks: what it would come to first, and a reason for their histories. */
export const OrderDialog = ({ tasks, order: given, priority: before = 0, onClose, onDone }: OrderDialogProps) => {
  const [order, setOrder] = useState<OrderName>(given ?? "pause");
  const [why, setWhy] = useState("");
  const [priority, setPriority] = useState(String(before));
  const [isRetried, setRetried] = useState(true);
  const bulk: TaskOrder = { action: "order", order, tasks, why, ...(order === "reprioritise" ? { priority: Number(priority) } : {}), ...(order === "reject" ? { retry: isRetried } : {}) };
  return (
    <BulkDialog
      title={
        given === undefined ? `Order for ${countText(tasks.length)} ${tasks.length === 1 ? "task" : "tasks"}` : `${textOf(given)} ${tasks.length === 1 ? tasks[0] : `${countText(tasks.length)} tasks`}`
      }
      about={JSON.stringify([order, priority, isRetried])}
      isReady={why.trim() !== "" && (order !== "reprioritise" || (priority !== "" && Number.isFinite(Number(priority))))}
      preview={() => post<Preview>("preview", bulk)}
      carryOut={() => post<Done>("bulk", bulk)}
      verb={order === "cancel" ? "Cancel them" : textOf(order)}
      onClose={onClose}
      onDone={onDone}
    >
      {given === undefined ? (
        <div className="field">
          <label htmlFor="order-name">order</label>
          <select id="order-name" value={order} onChange={({ target }) => setOrder(target.value as OrderName)}>
            {orderTexts.map(([name, text]) => (
              <option key={name} value={name}>
                {text}
              </option>
            ))}
          </select>
        </div>
      ) : null}
      {order === "reprioritise" ? (
        <div className="field">
          <label htmlFor="order-priority">priority (higher goes first)</label>
          <input id="order-priority" type="number" value={priority} onChange={({ target }) => setPriority(target.value)} />
        </div>
      ) : null}
      {order === "reject" ? (
        <label className="row">
          <input type="checkbox" checked={isRetried} onChange={({ target }) => setRetried(target.checked)} /> try it again, within its budget
        </label>
      ) : null}
      <div className="field">
        <label htmlFor="order-why">why (stands in the history of each)</label>
        <input id="order-why" value={why} autoComplete="off" maxLength={1_000} onChange={({ target }) => setWhy(target.value)} />
      </div>
    </BulkDialog>
  );
};
