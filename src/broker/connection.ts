import type { IncomingMessage } from "../domain/incoming.ts";

/** What the broker says to an endpoint by itself. */
export type Frame =
  | { readonly type: "offer"; readonly assignment: string; readonly message: IncomingMessage }
  /** It need not begin this one any more. */
  | { readonly type: "withdrawn"; readonly assignment: string };

/** The way from the broker to one endpoint's process, as long as it lasts. */
export interface Connection {
  /** Writes a frame. Throws, or rejects, if it can't be written; frames arrive in the order of the calls. */
  readonly push: (frame: Frame) => void | PromiseLike<void>;
  /** It is not wanted any more. */
  readonly close: () => void;
  /** Called back once when it is closed, from either side. */
  readonly onClosed: (listener: () => void) => void;
}

/** A connection within one process: frames are heard at once. */
export interface InProcessConnection extends Connection {
  readonly isOpen: () => boolean;
}

/** `hear` is given each frame; what it throws counts as a frame that can't be written. */
export const inProcess = (hear: (frame: Frame) => void | PromiseLike<void>): InProcessConnection => {
  let isOpen = true;
  const listeners: Array<() => void> = [];
  return {
    push: (frame) => {
      if (!isOpen) throw new Error("the connection is closed");
      return hear(frame);
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      for (const listener of listeners) listener();
    },
    onClosed: (listener) => {
      if (isOpen) listeners.push(listener);
      else queueMicrotask(listener);
    },
    isOpen: () => isOpen,
  };
};
