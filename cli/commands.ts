/**
 * Every subcommand: its line in the help, and where it lies. A command is loaded when it is asked for: all of them together
 * take longer to load than any of them to start.
 *
 * @module
 */
import type { Command } from "./command.ts";

/** A subcommand in the list of commands. */
export interface ListedCommand {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Every subcommand, in the order of the help text. */
export const COMMANDS: readonly ListedCommand[] = [
  {
    name: "run",
    summary: "balance traffic until a signal ends it",
    load: async () => (await import("./run.ts")).run,
  },
  {
    name: "demo",
    summary: "three small real servers and the director in front of them",
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    name: "check",
    summary: "every mistake of a config file, with line and column",
    load: async () => (await import("./check.ts")).check,
  },
  {
    name: "doctor",
    summary: "what is real, emulated or impossible on this host, and the command that mends it",
    load: async () => (await import("./doctor.ts")).doctor,
  },
  {
    name: "permissions",
    summary: "what Deno has to allow for a config file",
    load: async () => (await import("./permissions.ts")).permissions,
  },
  {
    name: "schema",
    summary: "the JSON Schema of a config file, for editors",
    load: async () => (await import("./schema.ts")).schema,
  },
  {
    name: "status",
    summary: "services, real servers, weights, connections and health of the running daemon",
    load: async () => (await import("./status.ts")).status,
  },
  {
    name: "rules",
    summary: "rule chains and their counters, as iptables -L -v -n lists them",
    load: async () => (await import("./rules.ts")).rules,
  },
  {
    name: "reload",
    summary: "the running daemon reads its config file again and applies what changed",
    load: async () => (await import("./reload.ts")).reload,
  },
  {
    name: "sysctl",
    summary: "the switches net.ipv4.vs.* of the running director: list and set",
    load: async () => (await import("./sysctl.ts")).sysctl,
  },
  {
    name: "schedulers",
    summary: "the schedulers there are, their flags, and the rule each goes by",
    load: async () => (await import("./schedulers.ts")).schedulers,
  },
  {
    name: "explain",
    summary: "where a flow would go now, and why; nothing is changed by asking",
    load: async () => (await import("./explain.ts")).explain,
  },
  {
    name: "record",
    summary: "the running daemon's last decisions, state changes and drops, as a script to replay",
    load: async () => (await import("./record.ts")).record,
  },
  {
    name: "simulate",
    summary: "play a traffic script over a config and print each decision; no socket is opened",
    load: async () => (await import("./simulate.ts")).simulate,
  },
  {
    name: "whatif",
    summary: "another scheduler on the same arrivals: how the shares would differ",
    load: async () => (await import("./what_if.ts")).whatIf,
  },
  {
    name: "ipvsadm",
    summary: "the commands of ipvsadm 1.31, against the running daemon",
    load: async () => (await import("./ipvsadm.ts")).ipvsadm,
  },
  {
    name: "proc",
    summary: "the views of /proc/net/ip_vs, ip_vs_conn, ip_vs_stats",
    load: async () => (await import("./proc.ts")).proc,
  },
  {
    name: "import",
    summary: "an ipvsadm -S dump, a keepalived.conf or an ldirectord.cf as a config",
    load: async () => (await import("./import.ts")).importCommand,
  },
  {
    name: "export",
    summary: "a config's rules as commands for a real kernel director",
    load: async () => (await import("./export.ts")).exportCommand,
  },
  {
    name: "modes",
    summary: "NAT, DR and TUN beside each other, and what each service asks of its mode",
    load: async () => (await import("./modes.ts")).modes,
  },
  {
    name: "realserver",
    summary: "make this host a real server for DR or TUN, and undo it",
    load: async () => (await import("./realserver.ts")).realserver,
  },
];
