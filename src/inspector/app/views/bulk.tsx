import { type ReactNode, useState } from "react";
import type { Preview } from "../../wire.ts";
import { Dialog, Problem } from "../parts.tsx";

export interface BulkDialogProps {
  readonly title: string;
  readonly verb: string;
  readonly isReady: boolean;
  readonly preview: () => Promise<Preview>;
  readonly carryOut: () => Promise<{ readonly done: number }>;
  readonly onClose: () => void;
  readonly onDone: () => void;
  readonly children?: ReactNode;
}

/** Says what would be done, and does it only then. */
export const BulkDialog = ({ title, verb, isReady, preview, carryOut, onClose, onDone, children }: BulkDialogProps) => {
  const [shown, setShown] = useState<Preview>();
  const [error, setError] = useState<string>();
  const [done, setDone] = useState<number>();
  const attempt = async <A,>(call: () => Promise<A>, then: (answer: A) => void) => {
    setError(undefined);
    try {
      then(await call());
    } catch (refused) {
      setError(refused instanceof Error ? refused.message : String(refused));
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      {done === undefined ? children : null}
      {error === undefined ? null : <Problem text={error} />}
      {done !== undefined ? (
        <p role="status">
          Done for <b>{done}</b>.
        </p>
      ) : shown === undefined ? null : (
        <div className="preview" role="status">
          <p>{shown.text}</p>
          {shown.takes.length > 0 ? (
            <>
              <h3>It is done for {shown.takes.length}</h3>
              <ul>
                {shown.takes.slice(0, 50).map((text) => (
                  <li key={text}>{text}</li>
                ))}
                {shown.takes.length > 50 ? <li className="quiet">and {shown.takes.length - 50} more</li> : null}
              </ul>
            </>
          ) : null}
          {shown.refuses.length > 0 ? (
            <>
              <h3>Not for {shown.refuses.length}</h3>
              <ul>
                {shown.refuses.slice(0, 50).map(({ id, why }) => (
                  <li key={id}>
                    {id}: {why}
                  </li>
                ))}
              </ul>
            </>
          ) : null}
        </div>
      )}
      <footer>
        <button type="button" onClick={onClose}>
          {done === undefined ? "Cancel" : "Close"}
        </button>
        {done !== undefined ? null : shown === undefined ? (
          <button type="button" className="primary" disabled={!isReady} onClick={() => void attempt(preview, setShown)}>
            Preview
          </button>
        ) : (
          <button
            type="button"
            className="primary"
            disabled={shown.takes.length === 0}
            onClick={() =>
              void attempt(carryOut, (answer) => {
                setDone(answer.done);
                onDone();
              })
            }
          >
            {verb}
          </button>
        )}
      </footer>
    </Dialog>
  );
};
