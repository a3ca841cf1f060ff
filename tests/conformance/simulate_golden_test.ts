/**
 * Golden files of `lvsd simulate`: `NAME.lvs`, with `NAME.yaml` where it has a config, and `NAME.txt`, what is printed.
 * `LVSD_UPDATE_GOLDEN=1` writes the last anew.
 */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { simulate } from "../../cli/simulate.ts";
import { LvsdError } from "../../errors.ts";
import { assertGolden } from "./config_golden.ts";

const FOLDER = new URL("../fixtures/simulate/", import.meta.url);
const SCRIPTS = [...Deno.readDirSync(FOLDER)].map((it) => it.name).filter((it) => it.endsWith(".lvs")).sort();

for (const script of SCRIPTS) {
  const name = script.slice(0, -".lvs".length);
  Deno.test(`simulate golden: ${name}`, async () => {
    const config = new URL(`${name}.yaml`, FOLDER);
    const options = existsSync(config) ? ["-c", config.pathname] : [];
    assertGolden(new URL(`${name}.txt`, FOLDER), await play([new URL(script, FOLDER).pathname, ...options]));
  });
}

async function play(args: readonly string[]): Promise<string> {
  let out = "";
  const print = (text: string) => void (out += text);
  const parsed = parseArgs({ args: [...args], options: simulate.options, allowPositionals: true });
  const context = { stdout: print, stderr: print, env: () => undefined, isTerminal: false };
  try {
    const code = await simulate.run(parsed, context);
    return `${out}exit ${code}\n`;
  } catch (error) {
    if (!(error instanceof LvsdError)) throw error;
    return `${out}${error.message.replaceAll(FOLDER.pathname, "")}\nexit ${error.exitCode}\n`;
  }
}
