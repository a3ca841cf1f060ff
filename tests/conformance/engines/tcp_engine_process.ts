/**
 * An engine in a process of its own: its memory and its file descriptors are nobody else's.
 *
 * Run with a JSON argument (`EngineProcessWish`). Says where it listens, then answers each line of its input with a line
 * of JSON (`EngineReport`); ends with its input. The lines `take` and `give` first use up all file descriptors, or let them
 * go again.
 */
import type { BindingOptions } from "../../../engines/engine.ts";
import { openSetting, type TcpFamilyMember } from "./tcp_setting.ts";

export interface EngineProcessWish {
  /** Module that exports the `member`. */
  readonly module: string;
  readonly listen: string;
  readonly destinations: readonly { readonly host: string; readonly port: number }[];
  readonly options?: Partial<BindingOptions>;
}

export interface EngineReport {
  readonly live: number;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly ended: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
  readonly troubles: readonly string[];
}

if (import.meta.main) {
  // As the daemon does: Deno sets up its signals with the first handler, and panics when no descriptor is left then.
  Deno.addSignalListener("SIGHUP", () => {});
  const wish: EngineProcessWish = JSON.parse(Deno.args[0] ?? "{}");
  const { member }: { member: TcpFamilyMember } = await import(wish.module);
  const { options = {} } = wish;
  const setting = await openSetting(member, { listen: wish.listen, options }).catch((error) => {
    say({ error: `${error.code}: ${error.message}` });
    Deno.exit(1);
  });
  for (const { host, port } of wish.destinations) setting.addDestination(host, port);
  say({ port: setting.open.bound.port });
  const files: Deno.FsFile[] = [];
  for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    if (line.startsWith("take")) takeAllDescriptors(files);
    if (line.startsWith("give")) { for (const file of files.splice(0)) file.close(); }
    const { inBytes, outBytes } = setting.director.serviceView(setting.service).statistics;
    const report: EngineReport = {
      live: setting.engine.liveConnections(),
      inBytes,
      outBytes,
      ended: countBy(setting.events.endings.map((it) => it.reason)),
      dropped: countBy(setting.events.drops),
      troubles: setting.events.troubles,
    };
    say(report);
  }
  await setting[Symbol.asyncDispose]();
  Deno.exit();
}

/** Somebody else in the process uses up what is left. */
function takeAllDescriptors(files: Deno.FsFile[]): void {
  try {
    for (;;) files.push(Deno.openSync("/dev/null"));
  } catch {
    // None is left: as it should be.
  }
}

function say(what: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(what)}\n`));
}

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
