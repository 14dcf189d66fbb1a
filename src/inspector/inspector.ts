import type { AnyStateMachine } from "xstate";
import { inPromises, type Outboxes, type OutboxesInPromises } from "../delivery/index.ts";
import type { Dispatcher } from "../dispatch/index.ts";
import { type DurableMachine, type EngineCore, systemTime, type Taskwright, type Time } from "../engine/index.ts";
import { answer, type Feed } from "./answers.ts";
import { assetResponse, safeHeaders } from "./assets.ts";
import { Charts } from "./charts.ts";
import { engineSource } from "./engine-source.ts";
import { Fleets } from "./fleets.ts";
import { Frames } from "./frames.ts";
import { Replays } from "./replays.ts";
import type { Source } from "./source.ts";
import { Stuck } from "./stuck.ts";
import { Tasks } from "./tasks.ts";
import type { Role } from "./wire.ts";

/** How it is told who looks, and what must not be shown. */
export interface InspectorView {
  /** What whoever asks may do. Default: send events and give orders where a server says that they have the role `operate`, else look alone. */
  readonly role?: Role | ((request: Request) => Role);
  /** Under which name the history records what was done from the page. Default: the caller's, as a server knows it, else `inspector`. */
  readonly by?: (request: Request) => string;
  /** Names of fields whose values never leave the process, at any depth of a context, an event or an output. */
  readonly redact?: ReadonlyArray<string>;
  /** The path under which it is mounted, where the host does not take it off itself: `/inspector`. Default: none. A server that has it knows. */
  readonly base?: string;
  readonly time?: Time;
}

export interface InspectorOptions extends InspectorView {
  readonly engine: Taskwright;
  /** Their charts are drawn, and their histories stepped again. Default: those of the engine. */
  readonly machines?: ReadonlyArray<AnyStateMachine | DurableMachine>;
  readonly outboxes?: Outboxes | OutboxesInPromises;
  /** Its tasks, workers and queues are listed, and operators give it orders. Absent: they are actors like all others. */
  readonly dispatcher?: Dispatcher;
  /** What the page calls it. Default: `Taskwright`. */
  readonly name?: string;
}

/** What a server that has the inspector knows of a request. */
export interface InspectorRequest {
  readonly caller?: { readonly name: string; readonly roles: ReadonlyArray<string> };
  /** Under which path the server has it. */
  readonly base?: string;
  readonly peer?: string | undefined;
}

/** The page and its feed, for a host to mount. */
export interface Inspector {
  readonly fetch: (request: Request, known?: InspectorRequest) => Promise<Response>;
  /** Ends all streams and stops listening. */
  readonly close: () => void;
}

/** An inspector of a running engine. It costs the engine nothing while nobody looks. */
export const makeInspector = ({ engine, machines = machinesOf(engine), outboxes, dispatcher, name = "Taskwright", ...view }: InspectorOptions): Inspector =>
  inspect(engineSource(engine, name, outboxes === undefined || "effect" in outboxes ? outboxes : inPromises(outboxes), dispatcher), machines, view);

const machinesOf = (engine: Taskwright): ReadonlyArray<DurableMachine> =>
  [...(engine.effect as EngineCore).registry.byHash.values()].map(({ definition, schemas, migrate }) => ({ machine: definition.original, ...schemas, ...(migrate === undefined ? {} : { migrate }) }));

/** How long the places of actors stay known after the last page has gone. */
const restMs = 30_000;

/** An inspector of any source: `journalSource` for a journal or a history file. */
export const inspect = (source: Source, machines: ReadonlyArray<AnyStateMachine | DurableMachine>, view: InspectorView = {}): Inspector => {
  const time = view.time ?? systemTime();
  const charts = new Charts(machines, source);
  const fleets = new Fleets(source, time, (hash) => charts.peek(hash));
  const frames = new Frames(fleets, charts, source, time);
  const replays = new Replays(source, charts);
  const machineOf = ({ hash }: { readonly hash: string }) => charts.peek(hash)?.entry ?? charts.forms.of(hash)?.original;
  const stuck = new Stuck(source, fleets, time, machineOf);
  const tasks = source.dispatcher === undefined ? undefined : new Tasks(source.dispatcher, time);
  const rest = () => {
    fleets.rest();
    tasks?.rest();
  };
  let cancelRest: (() => void) | undefined;
  const restLater = () => {
    cancelRest?.();
    cancelRest = time.wakeAt(time.now() + restMs, () => frames.size === 0 && rest());
  };
  const hidden = new Set(view.redact);
  const feed: Feed = { source, charts, fleets, frames, replays, machineOf, stuck, tasks, time, hidden, restLater };
  return {
    fetch: async (request, known = {}) => {
      const url = new URL(request.url);
      const base = known.base ?? view.base ?? "";
      if (!url.pathname.startsWith(base)) return new Response("not found\n", { status: 404 });
      const path = url.pathname.slice(base.length);
      // What the page asks for is beside it. A host may have taken a part of the path off, so the way there is told from here.
      if (path === "") return new Response(null, { status: 308, headers: { location: `${base.slice(base.lastIndexOf("/") + 1)}/` } });
      try {
        if (path.startsWith("/api/")) {
          const role = typeof view.role === "function" ? view.role(request) : (view.role ?? (known.caller?.roles.includes("operate") === true ? "operator" : "viewer"));
          return await answer(feed, request, url, path.slice("/api/".length), source.send === undefined ? "viewer" : role, view.by?.(request) ?? known.caller?.name ?? "inspector");
        }
        if (request.method !== "GET" && request.method !== "HEAD") return new Response("only to be read\n", { status: 405, headers: { allow: "GET, HEAD" } });
        return (await assetResponse(path.slice(1), request)) ?? new Response("not found\n", { status: 404, headers: safeHeaders });
      } catch (error) {
        const { status = 500, code = "internal_error", message } = error as { readonly status?: number; readonly code?: string; readonly message?: string };
        return Response.json({ code, message: message ?? String(error) }, { status, headers: safeHeaders });
      }
    },
    close: () => {
      cancelRest?.();
      frames.close();
      rest();
    },
  };
};
