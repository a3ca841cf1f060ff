/**
 * `lvsd doctor`: what is real, what is emulated, what is missing, and the command that mends it.
 *
 * @module
 */
import { SystemClock } from "../clock.ts";
import { loadConfig, readConfigFile } from "../config/load.ts";
import type { Config } from "../config/model.ts";
import { lookUpName } from "../daemon/resolver.ts";
import { backendQuestions, diagnoseBackend } from "../doctor/backend.ts";
import type { BackendQuestion } from "../doctor/backend_checks.ts";
import { diagnose } from "../doctor/diagnosis.ts";
import { type Diagnosis, isHealthy } from "../doctor/finding.ts";
import type { Host } from "../doctor/host.ts";
import { SystemHost } from "../doctor/system_host.ts";
import { EXIT, UsageError } from "../errors.ts";
import { FORWARDING_METHOD_NAMES } from "../modes/registry.ts";
import { IpAddress } from "../net/address.ts";
import { parseVirtualAddress } from "../realserver/setup.ts";
import { type CliContext, type Command, type ParsedArgs, textOption } from "./command.ts";
import { diagnosisText } from "./doctor_text.ts";
import { knownName, optionValue, wholeNumberOption } from "./options.ts";
import { printableAll } from "./table.ts";

const NO_SERVICES: Pick<Config, "services" | "file"> = { services: [], file: "" };

export const doctor: Command = {
  usage: `lvsd doctor - what is missing on this host, and the command that mends it

Usage: lvsd doctor [-c CONFIG] [--json]
       lvsd doctor --backend -c CONFIG [--json]
       lvsd doctor --backend --vip ADDRESS [--mode dr|tun|nat] [--port PORT] [--director ADDRESS] [--json]

On a director it looks at the host and at each service of CONFIG: real (its forwarding method is carried out as
LVS does), emulated (by sockets), or impossible. With --backend it looks at a real server: the virtual address,
ARP, rp_filter, tunnels. It changes nothing; listening addresses are bound for a moment, TCP servers are
connected to once, and with CAP_NET_RAW the network is asked: who else has the virtual address, does a packet
to a DR or TUN server come back.

  -c, --config FILE      the director's config
      --backend          this host is a real server of it
      --vip ADDRESS      virtual address, in place of a config
      --mode MODE        its forwarding method (default dr)
      --port PORT        port of its service (default: none, the address alone)
      --director ADDRESS the director's address on this side (nat)
      --json             {"host": [...], "services": [{"service", "mode", "life", "reason", "findings": [{"id",
                         "effect", "subject", "text", "on", "mend"}]}]}
  -h, --help             this text

Exit codes: 0 nothing is missing (warnings do not count), 1 something is, 2 usage, 3 the config cannot be read.

Example:
  lvsd doctor -c config.example.yaml
`,
  options: {
    config: { type: "string", short: "c" },
    backend: { type: "boolean" },
    vip: { type: "string" },
    mode: { type: "string" },
    port: { type: "string" },
    director: { type: "string" },
    json: { type: "boolean" },
  },

  async run(args, context) {
    const host = new SystemHost(
      new SystemClock(),
      async (name) => (await lookUpName(name)).addresses[0],
    );
    const diagnosis = await examine(args, context, host);
    context.stdout(
      args.values["json"] === true
        ? `${JSON.stringify(printableAll(diagnosis), null, 2)}\n`
        : diagnosisText(diagnosis),
    );
    return isHealthy(diagnosis) ? EXIT.ok : EXIT.failed;
  },
};

async function examine(args: ParsedArgs, context: CliContext, host: Host): Promise<Diagnosis> {
  const file = textOption(args, "config");
  const config = file === undefined ? undefined : loadConfig(await readConfigFile(file), file, context.env);
  if (args.values["backend"] === true) return diagnoseBackend(host, questionsOf(args, config, host));
  for (const name of ["vip", "mode", "port", "director"]) {
    if (textOption(args, name) === undefined) continue;
    throw new UsageError("OPTION_MISPLACED", `doctor: --${name} is for --backend`, { option: name });
  }
  return await diagnose(config ?? NO_SERVICES, host);
}

function questionsOf(
  args: ParsedArgs,
  config: Config | undefined,
  host: Host,
): readonly BackendQuestion[] {
  const vip = textOption(args, "vip");
  const director = textOption(args, "director");
  const known = director === undefined
    ? {}
    : { director: optionValue("--director", director, IpAddress.parse) };
  if (vip === undefined) {
    if (config === undefined) {
      throw new UsageError("OPTION_MISSING", "doctor --backend needs -c CONFIG or --vip ADDRESS", {});
    }
    return backendQuestions(config, host).map((it) => ({ ...it, ...known }));
  }
  const portText = textOption(args, "port");
  const port = portText === undefined ? 0 : wholeNumberOption("--port", portText, 1, 65_535);
  const virtualAddress = optionValue("--vip", vip, parseVirtualAddress);
  return [{
    mode: knownName("mode", textOption(args, "mode") ?? "dr", FORWARDING_METHOD_NAMES),
    virtualAddress,
    protocol: "tcp",
    port,
    ...known,
  }];
}
