/**
 * `lvsd modes`: the forwarding methods beside each other, and what each service may ask of its own.
 *
 * @module
 */
import type { Config, DestinationConfig, ServiceConfig } from "../config/model.ts";
import { EXIT } from "../errors.ts";
import { FORWARDING_METHOD_NAMES, FORWARDING_METHODS } from "../modes/registry.ts";
import { COMPARISON } from "../modes/comparison.ts";
import { destinationViolations, RULES, serviceViolations } from "../modes/rules.ts";
import { isNamed } from "../net/endpoint.ts";
import type { Command } from "./command.ts";
import { readConfigOption } from "./simulator_files.ts";
import { wrapColumns } from "./table.ts";

export const modes: Command = {
  usage: `lvsd modes - NAT, DR and TUN beside each other

Usage: lvsd modes [-c CONFIG] [--json]

Without a config the table alone; with one, a line for each service: its mode, and what of it the mode does
not allow.

  -c, --config FILE  look at this config's services
      --json         {"modes": {QUESTION: {"nat", "dr", "tun"}}, "services": [{"service", "mode", "problems": [...]}]}
  -h, --help         this text

Exit codes: 0 everything is allowed, 1 something is not, or the config has mistakes, 2 usage, 3 it cannot be read.

Example:
  lvsd modes -c config.example.yaml
`,
  options: { config: { type: "string", short: "c" }, json: { type: "boolean" } },

  async run(args, context) {
    const config = await readConfigOption(args, context);
    const services = (config?.services ?? []).map((service) => ({
      service: service.name,
      mode: service.mode,
      problems: problemsOf(service),
    }));
    if (args.values["json"] === true) {
      context.stdout(`${JSON.stringify({ modes: table(), services })}\n`);
    } else {
      context.stdout(`${comparisonText(context.columns)}\n`);
      context.stdout(servicesText(config, services));
    }
    return services.every(({ problems }) => problems.length === 0) ? EXIT.ok : EXIT.failed;
  },
};

/** The table as data: question, then the answer of each method. */
function table(): Record<string, Record<string, string>> {
  const rows = COMPARISON.map(({ title, answers }) => [title, answers] as const);
  const rules = RULES.map(({ id, title }) =>
    [
      title,
      Object.fromEntries(FORWARDING_METHOD_NAMES.map((name) => [
        name,
        FORWARDING_METHODS[name].answers[id].allowed ? "yes" : "no",
      ])),
    ] as const
  );
  return Object.fromEntries([...rows, ...rules]);
}

/** @param columns of the terminal; a pipe gets a line for each question */
function comparisonText(columns = Infinity): string {
  const heads = FORWARDING_METHOD_NAMES.map((name) => FORWARDING_METHODS[name].title);
  const rows = Object.entries(table()).map(([title, answers]) => [
    title,
    ...FORWARDING_METHOD_NAMES.map((name) => answers[name] ?? ""),
  ]);
  return wrapColumns([["", ...heads], ...rows], columns).join("\n");
}

function servicesText(
  config: Config | undefined,
  services: readonly { service: string; mode: string; problems: readonly string[] }[],
): string {
  if (config === undefined) return "";
  const lines = services.flatMap(({ service, mode, problems }) => [
    `${service}: ${mode}${problems.length === 0 ? ", all it asks is allowed" : ""}`,
    ...problems.map((it) => `  not allowed: ${it}`),
  ]);
  return `\n${lines.join("\n")}\n`;
}

function problemsOf(service: ServiceConfig): string[] {
  const method = FORWARDING_METHODS[service.mode];
  const { address, port } = service.listen;
  const demand = {
    family: address.family,
    port,
    everyAddress: address.isUnspecified && service.mark === undefined,
    proxyHeader: service.clientAddress.startsWith("proxy-") || service.acceptProxyFrom.length > 0,
  };
  const ofDestination = ({ name, endpoint }: DestinationConfig) =>
    destinationViolations(method, demand, {
      family: isNamed(endpoint) ? undefined : endpoint.address.family,
      port: endpoint.port,
    }).map(({ reason }) => `${name}: ${reason}`);
  return [
    ...serviceViolations(method, demand).map(({ reason }) => reason),
    ...service.destinations.flatMap(ofDestination),
  ];
}
