import type { AnyStateMachine } from "xstate";
import { lineAt, type SourceFile, type Violation } from "./source.ts";

interface Node {
  readonly key: string;
  readonly id: string;
  readonly description?: string | undefined;
  readonly config: { readonly description?: string | undefined };
  readonly states: Readonly<Record<string, Node>>;
}

/** Every machine says its version and what each of its states means: the inspector and the docs show it. */
export const chartViolations = (files: ReadonlyArray<SourceFile>, exported: Readonly<Record<string, unknown>>): ReadonlyArray<Violation> =>
  files.flatMap((file): ReadonlyArray<Violation> => {
    const name = /^machines\/([\w-]+)\.ts$/.exec(file.path)?.[1];
    if (name === undefined || name === "index") return [];
    const machine = Object.values(exported).find((value): value is AnyStateMachine => (value as { id?: unknown } | null)?.id === name);
    if (machine === undefined) return [{ file: file.path, line: 1, message: `machines/index.ts exports no machine with the id "${name}"` }];
    const violations: Array<Violation> = [];
    if (machine.version === undefined) violations.push({ file: file.path, line: 1, message: "the machine has no version" });
    if (machine.root.config.description === undefined) violations.push({ file: file.path, line: 1, message: "the machine has no description" });
    const visit = (node: Node) => {
      for (const child of Object.values(node.states)) {
        const found = file.text.search(new RegExp(`^\\s*${child.key}: \\{`, "m"));
        if (child.config.description === undefined)
          violations.push({ file: file.path, line: found < 0 ? 1 : lineAt(file.text, file.text.indexOf(child.key, found)), message: `the state "${child.key}" has no description` });
        visit(child);
      }
    };
    visit(machine.root as unknown as Node);
    return violations;
  });
