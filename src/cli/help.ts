import { didYouMean } from "../domain/near.ts";

/** Sentences of the parser that say nothing which the line above them does not. */
const noise = /^(A user-defined piece of text\.|A true or false value\.|An integer\.|One of the following: .*|This setting is optional\.|This argument may be repeated .*)$/;
/** Where descriptions begin, unless a name is longer. */
const nameMax = 30;

/** Words in lines of at most `width`, the first one behind `first`, the others behind as many spaces as `indent`. */
const wrapped = (text: string, width: number, first = "", indent = first.length): string => {
  const lines: Array<string> = [];
  let line = first;
  for (const word of text.split(/\s+/)) {
    const isEmpty = line.trim() === "" || line.length === indent;
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line.trimEnd());
      line = " ".repeat(indent) + word;
    } else line += (line === "" || line.endsWith(" ") ? "" : " ") + word;
  }
  return [...lines, line.trimEnd()].join("\n");
};

/** Names in one column, what they mean in another. */
const columned = (pairs: ReadonlyArray<readonly [name: string, meaning: string]>, width: number): string => {
  const indent = Math.min(nameMax, Math.max(...pairs.map(([name]) => name.length))) + 4;
  return pairs.map(([name, meaning]) => (name.length + 4 > indent ? `  ${name}\n${wrapped(meaning, width, " ".repeat(indent))}` : wrapped(meaning, width, `  ${name}`.padEnd(indent)))).join("\n");
};

/** Beyond this a choice is told below its option. */
const choiceMax = 40;

/** An option, or an argument, and the paragraphs below it. */
const settings = (lines: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> => {
  const found: Array<[string, string]> = [];
  for (const line of lines) {
    if (line.trim() === "") continue;
    if (!line.startsWith(" ")) {
      const name = unbracketed(line.replace(/^\((.*)\)$/, "$1"));
      const [, option = "", choice = ""] = /^(\S+) (.* \| .*)$/.exec(name) ?? [];
      found.push(choice.length > choiceMax ? [`${option} text`, `One of: ${choice.replaceAll(" | ", ", ")}.`] : [name, ""]);
    } else if (!noise.test(line.trim())) {
      const last = found.at(-1);
      if (last !== undefined) last[1] = `${last[1]} ${line.trim()}`.trim();
    }
  }
  return found;
};

/** Arguments as they are written everywhere else. */
const unbracketed = (usage: string): string => usage.replace(/<(\w+)>/g, "$1");

/** Of a usage what can't be left out: options that can are listed below. */
const needed = (usage: string): string =>
  usage
    .replace(/\[\(?--?[^\]]*\)?\] ?/g, "")
    .replace(/[()]/g, "")
    .trim();
const withOptions = (usage: string): string =>
  unbracketed(
    needed(usage) === usage
      ? usage
      : needed(usage)
          .replace(/ (?=[<[])|$/, " [OPTIONS] ")
          .trim(),
  );

/** A command as its own help describes it further: its name, its arguments, and what it does. */
const command = (line: string): ReadonlyArray<readonly [string, string]> => {
  const [, usage, meaning] = /^ {2}- (.*?) {2,}(\S.*)$/.exec(line) ?? [];
  if (usage === undefined || meaning === undefined) return [];
  const name = unbracketed(needed(usage).replace(/(-\w, )?--[\w-]+ \w+ ?/g, ""));
  return [[name.trim(), meaning.replace(/ Exit code: .*$/, "")]];
};

/**
 * The help of the parser, which takes a line of any length for each command, laid out for `width` columns. Any other
 * text stays as it is. `words`: what was typed, to name a command within another one.
 */
export const helpText = (text: string, words: ReadonlyArray<string>, width: number): string => {
  const sections = text.split(/^([A-Z]+)$/m);
  if (!sections.includes("USAGE")) return text;
  const [, title = ""] = (sections[0] ?? "").trim().split(/\n\n/);
  const parts = [title];
  for (let index = 1; index < sections.length; index += 2) {
    const [heading = "", body = ""] = sections.slice(index, index + 2);
    const lines = body.split("\n");
    let shown = wrapped(body.trim(), width, "  ");
    if (heading === "USAGE") {
      const usage = body.trim().replace(/^\$ /, "");
      const [name = ""] = usage.split(" ");
      const before = words.slice(0, Math.max(0, words.lastIndexOf(name)));
      shown = `  ${name === "taskwright" ? "taskwright COMMAND" : ["taskwright", ...before, withOptions(usage)].join(" ")}`;
    }
    if (heading === "ARGUMENTS" || heading === "OPTIONS") shown = columned(settings(lines), width);
    if (heading === "COMMANDS") shown = `${columned(lines.flatMap(command), width)}\n\n  With --help behind it, a command tells its options.`;
    parts.push(`${heading}\n${shown}`);
  }
  return `${parts.join("\n\n")}\n`;
};

/** What the parser says of a command, or an option, that there is not. */
export const complaintText = (complaint: string, words: ReadonlyArray<string>): string => {
  const [, option] = /^Received unknown argument: '(-[^']*)'$/.exec(complaint.trim()) ?? [];
  if (option !== undefined) return `there is no option ${option}; taskwright ${words[0]} --help lists those that there are`;
  const [, above, list] = /^Invalid subcommand for ([\w-]+) - use one of (.*)$/s.exec(complaint.trim()) ?? [];
  if (above === undefined || list === undefined) return complaint;
  const names = [...list.matchAll(/'([\w-]+)'/g)].map(([, name = ""]) => name);
  const path = above === "taskwright" ? [above] : ["taskwright", above];
  let place = above === "taskwright" ? 0 : words.indexOf(above) + 1;
  // A command that is there has commands of its own, which are not among these.
  for (; names.includes(words[place] ?? ""); place++) path.push(words[place] as string);
  const given = words[place];
  return given === undefined ? complaint : `there is no command "${given}"${didYouMean(given, names)}; ${path.join(" ")} --help lists those that there are`;
};
