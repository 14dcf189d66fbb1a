/*
 * What can be said of a module without loading it. A folder may hold programs: loading one would run it. A module of
 * machines only declares and exports.
 */

/** Why a module of a folder is not loaded, in words; nothing for one that may be. `silent`: it does not look as if it had to do with machines. */
export type LeftOut = { readonly why: string; readonly silent: boolean };

const makesMachine = /\b(?:createMachine|durable|\.?provide)\s*\(/;
const exportsSomething = /^export\s+(?!(?:type|interface)\b)/m;
/** How a line may begin that stands at the outermost level and only declares. */
const declares = /^(?:import|export|const|let|var|function|async function|class|abstract class|type|interface|enum|declare|namespace|["'](?:use strict)["']|[\s)\]}>|&?:.`;,/]|\/\/|$)/;
/** A declaration that waits for something while it is loaded. */
const waits = /^(?:export\s+)?(?:const|let|var)\b.*=\s*await\b/;

/** Reads it line by line, as every formatter leaves it: what is not indented stands at the outermost level. */
export const leftOut = (text: string): LeftOut | undefined => {
  const bare = text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/`(?:[^`\\]|\\[\s\S])*`/g, (template) => `\`${template.replace(/[^\n]/g, "").replace(/\n/g, "\n ")}\``);
  if (!makesMachine.test(bare) || !exportsSomething.test(bare)) return { why: "nothing in it looks like a machine that it exports", silent: true };
  const lines = bare.split("\n");
  const at = lines.findIndex((line, index) => (index > 0 || !line.startsWith("#!")) && (waits.test(line) || !declares.test(line)));
  if (at < 0) return undefined;
  return { why: `it is a program: line ${at + 1} does something as soon as it is loaded (${(lines[at] as string).trim().slice(0, 60)})`, silent: false };
};
