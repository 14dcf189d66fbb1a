import { type ReactNode, useState } from "react";
import type { Done, Preview } from "../../wire.ts";
import { Dialog, Problem } from "../parts.tsx";

export interface BulkDialogProps {
  readonly title: string;
  readonly verb: string;
  readonly isReady: boolean;
  /** Names what is to be done: when it changes, what was previewed is asked for again. */
  readonly about?: string;
  readonly preview: () => Promise<Preview>;
  readonly carryOut: () => Promise<Done>;
  readonly onClose: () => void;
  readonly onDone: () => void;
  readonly children?: ReactNode;
}

/** Says what would be done, and does it only then. */
export const BulkDialog = ({ title, verb, isReady, about = "", preview, carryOut, onClose, onDone, children }: BulkDialogProps) => {
  const [previewed, setPreviewed] = useState<{ readonly about: string; readonly preview: Preview }>();
  const shown = previewed?.about === about ? previewed.preview : undefined;
  const [error, setError] = useState<string>();
  const [done, setDone] = useState<Done>();
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
        <div className="preview" role="status">
          <p>
            Done for <b>{done.done}</b>.
          </p>
          <Refusals refuses={done.refuses ?? []} />
        </div>
      ) : shown === undefined ? null : (
        <div className="preview" role="status">
          <p>{shown.text}</p>
          {shown.takes.length > 0 ? (
            <>
              <h3>It is done for {shown.takes.length}</h3>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
              <ul tabIndex={0} aria-label="Done for">
                {shown.takes.slice(0, 50).map((text) => (
                  <li key={text}>{text}</li>
                ))}
                {shown.takes.length > 50 ? <li className="quiet">and {shown.takes.length - 50} more</li> : null}
              </ul>
            </>
          ) : null}
          <Refusals refuses={shown.refuses} />
        </div>
      )}
      <footer>
        <button type="button" onClick={onClose}>
          {done === undefined ? "Back" : "Close"}
        </button>
        {done !== undefined ? null : shown === undefined ? (
          <button type="button" className="primary" disabled={!isReady} onClick={() => void attempt(preview, (answer) => setPreviewed({ about, preview: answer }))}>
            Preview
          </button>
        ) : (
          <button
            type="button"
            className="primary"
            disabled={shown.takes.length === 0 || !isReady}
            onClick={() =>
              void attempt(carryOut, (answer) => {
                setDone(answer);
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

const Refusals = ({ refuses }: Pick<Preview, "refuses">) =>
  refuses.length === 0 ? null : (
    <>
      <h3>Not for {refuses.length}</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <ul tabIndex={0} aria-label="Not done for">
        {refuses.slice(0, 50).map(({ id, why }) => (
          <li key={id}>
            {id}: {why}
          </li>
        ))}
        {refuses.length > 50 ? <li className="quiet">and {refuses.length - 50} more</li> : null}
      </ul>
    </>
  );
