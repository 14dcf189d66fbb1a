/** What must not be shown, hidden, at any depth. */
export const clean = <A>({ hidden }: { readonly hidden: ReadonlySet<string> }, value: A): A => {
  if (hidden.size === 0) return value;
  return JSON.parse(JSON.stringify(value, (key, inner: unknown) => (hidden.has(key) && inner !== null && inner !== undefined ? "[hidden]" : inner))) as A;
};
