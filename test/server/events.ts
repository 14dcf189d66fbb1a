import { onTestFinished } from "vitest";

export interface Told {
  readonly id: string | undefined;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: what came is looked at by each test.
  readonly data: any;
}

/** A reader of server-sent events that reads on demand, as a page does not. */
export const follow = async (url: string, headers: Readonly<Record<string, string>> = {}) => {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const response = await fetch(url, { headers: { accept: "text/event-stream", ...headers }, signal: controller.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream() as never).getReader() as ReadableStreamDefaultReader<string>;
  let text = "";
  const waiting: Array<Told> = [];
  const next = async (): Promise<Told | undefined> => {
    while (waiting.length === 0) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop() ?? "";
      for (const part of parts) {
        const fields = Object.fromEntries(part.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
        if (fields.data !== undefined) waiting.push({ id: fields.id, event: fields.event ?? "message", data: JSON.parse(fields.data) });
      }
    }
    return waiting.shift();
  };
  const take = async (count: number): Promise<ReadonlyArray<Told>> => {
    const found: Array<Told> = [];
    while (found.length < count) {
      const told = await next();
      if (told === undefined) throw new Error(`the stream ended after ${found.length} events`);
      found.push(told);
    }
    return found;
  };
  return { response, next, take, leave: () => controller.abort() };
};
