import type { IncomingMessage } from "../domain/incoming.ts";
import type { ActionInfo, Doors } from "../engine/index.ts";
import type { Connection, Frame } from "./connection.ts";

interface Line {
  readonly endpoint: string;
  readonly owner: string;
  readonly connection: Connection;
}

interface Offered {
  readonly assignment: string;
  readonly message: IncomingMessage;
}

/**
 * The connections of this process, by name, and what `machines/endpoint.ts` asks to be done with them. Holds no
 * decision: what can't be written is reported, and the endpoint decides.
 */
export class Switchboard {
  readonly #lines = new Map<string, Line>();
  #doors: Doors | undefined;
  #epoch = 0;
  #given = 0;
  readonly #probe: (owner: string) => boolean | PromiseLike<boolean>;

  /** `probe`: whether the process that owns an endpoint lives. */
  constructor(probe: (owner: string) => boolean | PromiseLike<boolean>) {
    this.#probe = probe;
  }

  /** Another life of the broker: no earlier connection counts. */
  open(doors: Doors, epoch: number): void {
    const earlier = [...this.#lines.values()];
    this.#lines.clear();
    this.#doors = doors;
    this.#epoch = epoch;
    for (const { connection } of earlier) connection.close();
  }

  /** Gives a connection a name that none ever had. */
  add(endpoint: string, owner: string, connection: Connection): string {
    const name = `${this.#epoch}.${++this.#given}`;
    this.#lines.set(name, { endpoint, owner, connection });
    connection.onClosed(() => void this.#closed(name));
    return name;
  }

  /** It was not attached after all. */
  drop(name: string): void {
    this.#lines.delete(name);
  }

  async isOwnerAlive(owner: string): Promise<boolean> {
    try {
      return await this.#probe(owner);
    } catch {
      // Whoever can't tell leaves it to the grace.
      return true;
    }
  }

  /** What became of the owner is asked before its endpoint is told. */
  async #closed(name: string): Promise<void> {
    const line = this.#lines.get(name);
    if (line === undefined) return;
    const ownerLives = await this.isOwnerAlive(line.owner);
    if (!this.#lines.delete(name)) return;
    this.#report(line.endpoint, { type: "CLOSED", connection: name, ownerLives });
  }

  #report(endpoint: string, event: { readonly type: string; readonly [key: string]: unknown }): void {
    try {
      this.#doors?.report(endpoint, event);
    } catch (error) {
      this.#doors?.log({ level: "error", message: `"${event.type}" of ${endpoint} could not be reported`, data: error });
    }
  }

  async #push(name: string | null, frame: Frame): Promise<boolean> {
    const line = name === null ? undefined : this.#lines.get(name);
    if (line === undefined) return false;
    try {
      await line.connection.push(frame);
      return true;
    } catch {
      return false;
    }
  }

  readonly actions: Readonly<Record<string, (info: ActionInfo) => unknown>> = {
    push: async ({ address, params }) => {
      const { connection, assignment, message } = params as Offered & { readonly connection: string };
      if (!(await this.#push(connection, { type: "offer", assignment, message }))) this.#report(address, { type: "PUSH_FAILED", connection, assignment });
    },
    pushBuffer: async ({ address, params }) => {
      const { connection, offers } = params as { readonly connection: string; readonly offers: ReadonlyArray<Offered> };
      for (const { assignment, message } of offers) {
        if (!(await this.#push(connection, { type: "offer", assignment, message }))) return this.#report(address, { type: "PUSH_FAILED", connection });
      }
      this.#report(address, { type: "PUSHED", connection, assignments: offers.map(({ assignment }) => assignment) });
    },
    pushWithdrawal: async ({ params }) => {
      const { connection, assignment } = params as { readonly connection: string; readonly assignment: string };
      await this.#push(connection, { type: "withdrawn", assignment });
    },
    closeConnection: ({ params }) => {
      const { connection: name } = params as { readonly connection: string };
      const line = this.#lines.get(name);
      this.#lines.delete(name);
      line?.connection.close();
    },
  };
}
