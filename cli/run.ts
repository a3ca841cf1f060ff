/**
 * `lvsd run`: the director in the foreground.
 *
 * @module
 */
import { configFromOptions } from "../config/from_options.ts";
import type { Config } from "../config/model.ts";
import { assertTrusted } from "../config/trusted_file.ts";
import { threadsWanted } from "../daemon/native_place.ts";
import { ThreadStock } from "../engines/native/thread_stock.ts";
import { EXIT, SystemError, UsageError } from "../errors.ts";
import { becomeUser } from "./change_user.ts";
import { type CliContext, type Command, type ParsedArgs, textOption, textOptions } from "./command.ts";
import { VERSION } from "./version.ts";

const USAGE = `lvsd run - balance traffic until a signal ends it

Usage: lvsd run -c FILE [--watch] [--state FILE] [--user NAME [--group NAME]]
       lvsd run --tcp ADDRESS --to SERVERS [-s SCHEDULER] [...]
       lvsd run [--state FILE]            no service at first: lvsd ipvsadm makes them

  -c, --config FILE      the services, see config.example.yaml
  -w, --watch            reload when FILE changes
      --tcp ADDRESS      listen here: :8080, 127.0.0.1:8080, [::1]:8080
      --udp ADDRESS      the same for UDP; --tcp and --udp may be given several times
      --to SERVERS       real servers, comma-separated: 127.0.0.1:3001,127.0.0.1:3002@3 (@3: the weight, else 1)
  -s, --scheduler NAME   wlc (default), rr, wrr, lc, sed, nq, sh, mh, dh, lblc, lblcr, fo, ovf, twos
      --state FILE       keep what lvsd ipvsadm makes across restarts (default: it is gone with the process)
      --user NAME        started by root, go on as this user with no more than the capabilities in use (Linux)
      --group NAME       the same for the group; default: the user's own
      --setup-network    make the rules and routes that clientAddress: transparent needs, undone at the end
      --admin ADDRESS    admin API (default 127.0.0.1:9180), or off
      --log FORMAT       text (default) or json
      --log-level LEVEL  debug, info (default), warning, error
  -h, --help             this text

Signals: SIGHUP reloads; SIGTERM and SIGINT drain, a second one ends at once.
Exit codes: 0 ended by a signal, 1 the config has mistakes, 2 usage, 3 the system refuses (address in use, no permission).

Example:
  lvsd run --tcp :8080 --to 127.0.0.1:3001,127.0.0.1:3002@3 -s wlc
`;

export const run: Command = {
  usage: USAGE,
  options: {
    config: { type: "string", short: "c" },
    watch: { type: "boolean", short: "w" },
    tcp: { type: "string", multiple: true },
    udp: { type: "string", multiple: true },
    to: { type: "string", multiple: true },
    scheduler: { type: "string", short: "s" },
    state: { type: "string" },
    user: { type: "string" },
    group: { type: "string" },
    "setup-network": { type: "boolean" },
    admin: { type: "string" },
    log: { type: "string" },
    "log-level": { type: "string" },
  },
  run: runDirector,
};

async function runDirector(args: ParsedArgs, context: CliContext): Promise<number> {
  const file = textOption(args, "config");
  const load = file === undefined ? fromOptions(args) : fromFile(args, file, context);
  const config = await load();
  changeUser(args, config);
  // They load while this thread loads the rest.
  using threads = new ThreadStock();
  threads.fill(threadsWanted(config));
  const { runProcess } = await import("../daemon/process.ts");
  await runProcess({
    config,
    load,
    threads,
    version: VERSION,
    watch: args.values["watch"] === true,
    setsUpNetwork: args.values["setup-network"] === true,
    ...optionalText(args, "state", "stateFile"),
    ready: ({ daemon }) => {
      const { unbound, services } = daemon;
      // From a file, an address may still come (a VIP on its way); on a command line somebody waits for an answer.
      if (file === undefined && unbound.length > 0 && unbound.length === services.length) {
        throw new SystemError("NOTHING_BOUND", unbound.map((it) => it.problem).join("\n"));
      }
    },
  });
  return EXIT.ok;
}

/** Before anything is opened and before any worker starts: with --user the program begins anew here. */
function changeUser(args: ParsedArgs, config: Config): void {
  const user = textOption(args, "user");
  const group = textOption(args, "group");
  if (group !== undefined && user === undefined) {
    throw new UsageError("OPTION_MISSING", "--group goes with --user NAME", {});
  }
  if (user === undefined) return;
  const stateFile = textOption(args, "state");
  const hasFile = textOption(args, "config") !== undefined;
  becomeUser({ user, group, config, stateFile, servicesCome: !hasFile && config.services.length === 0 });
}

function fromFile(args: ParsedArgs, file: string, context: CliContext): () => Promise<Config> {
  const excluded = ["tcp", "udp", "to", "scheduler", "admin", "log", "log-level"].filter((it) =>
    it in args.values
  );
  if (excluded.length > 0) {
    throw new UsageError(
      "OPTIONS_EXCLUDE",
      `--config says everything; --${excluded.join(", --")} cannot go with it`,
      {
        option: excluded.join(","),
      },
    );
  }
  return async () => {
    // YAML is for those who have a file.
    const { loadConfig, readConfigFile } = await import("../config/load.ts");
    const text = await readConfigFile(file);
    if (Deno.uid() === 0) await assertTrusted(file);
    return loadConfig(text, file, context.env);
  };
}

function fromOptions(args: ParsedArgs): () => Promise<Config> {
  if (args.values["watch"] === true) {
    throw new UsageError("NOTHING_TO_WATCH", "--watch needs a file to watch: give --config FILE", {});
  }
  const optional = (name: string, key: string) => optionalText(args, name, key);
  const config = configFromOptions({
    tcp: textOptions(args, "tcp"),
    udp: textOptions(args, "udp"),
    to: textOptions(args, "to"),
    ...optional("scheduler", "scheduler"),
    ...optional("admin", "admin"),
    ...optional("log", "logFormat"),
    ...optional("log-level", "logLevel"),
  });
  return () => config;
}

function optionalText<Key extends string>(
  args: ParsedArgs,
  name: string,
  key: Key,
): { [key in Key]?: string } {
  const text = textOption(args, name);
  return text === undefined ? {} : { [key]: text } as { [key in Key]?: string };
}
