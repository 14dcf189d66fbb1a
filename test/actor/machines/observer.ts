/** What the named actions of live actors did, in order. The pure step never runs them: it asks for them by name. */
export const performed: Array<readonly [action: string, params: unknown]> = [];

/** A custom action that does nothing but to leave a mark. */
export const act =
  (name: string) =>
  (_: unknown, params?: unknown): void => {
    performed.push([name, params ?? null]);
  };
