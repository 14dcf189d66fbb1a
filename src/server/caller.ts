/** What a token may do: look, change, or carry out tasks. `operate` contains `read`. */
export type Role = "read" | "operate" | "worker";
export const roles: ReadonlyArray<Role> = ["read", "operate", "worker"];

/** Who sent a request. */
export interface Caller {
  /** As the history will name it: the name of the token. */
  readonly name: string;
  readonly roles: ReadonlyArray<Role>;
}

export const hasRole = (caller: Caller, needed: Role): boolean => caller.roles.includes(needed) || (needed === "read" && caller.roles.includes("operate"));
