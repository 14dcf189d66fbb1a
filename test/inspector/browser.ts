import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";

/**
 * A real Chromium from an npm package, on a machine that has none. It is unpacked once per version into a folder of its
 * own. Where the system lacks the libraries that it needs, those that come with it are used.
 */
export const openBrowser = async (): Promise<Browser> => {
  const folder = join(tmpdir(), "taskwright-chromium-147");
  mkdirSync(folder, { recursive: true });
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  // The package unpacks its libraries only where it believes itself to be.
  process.env.AWS_LAMBDA_JS_RUNTIME ??= "nodejs20.x";
  const claim = join(folder, "unpacked");
  // A process that ended while it unpacked left half a browser.
  if (!existsSync(claim)) rmSync(join(folder, "chromium"), { force: true });
  let executablePath: string;
  try {
    executablePath = await chromium.executablePath();
    mkdirSync(claim, { recursive: true });
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    delete process.env.AWS_LAMBDA_JS_RUNTIME;
  }
  // One process for all would take the page's workers down with the page. A graphics card that is only played costs more than none.
  const unwanted = /^--(single-process|disable-web-security|in-process-gpu|ignore-gpu-blocklist|use-gl=|use-angle=|enable-unsafe-swiftshader)/;
  const args = [...chromium.args.filter((arg) => !unwanted.test(arg)), "--disable-gpu"];
  const plain = { executablePath, args, headless: true };
  // The package's own configuration looks for its fonts elsewhere; without any font no text has a size, and nothing counts as visible.
  const configuration = join(folder, "fonts.conf");
  writeFileSync(configuration, `<fontconfig><dir>${join(folder, "fonts")}</dir><dir>/usr/share/fonts</dir><cachedir>${join(folder, "font-cache")}</cachedir></fontconfig>\n`);
  const env = { ...process.env, FONTCONFIG_FILE: configuration } as Record<string, string>;
  try {
    return await playwright.launch({ ...plain, env });
  } catch (error) {
    if (!/shared libraries|cannot open shared object/.test(String(error))) throw error;
    return playwright.launch({ ...plain, env: { ...env, LD_LIBRARY_PATH: join(folder, "al2023", "lib") } });
  }
};
