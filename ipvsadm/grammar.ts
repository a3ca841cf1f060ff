/**
 * The words of ipvsadm 1.31 as data: commands, options, and which option goes with which command.
 *
 * @module
 */
import type { TunnelType } from "../modes/tunnel.ts";

/** Commands under the names that its messages use. */
export const COMMANDS = [
  "add-service",
  "edit-service",
  "delete-service",
  "flush",
  "list",
  "add-server",
  "edit-server",
  "delete-server",
  "set",
  "start-daemon",
  "stop-daemon",
  "restore",
  "save",
  "zero",
] as const;
export type CommandName = typeof COMMANDS[number];

/** Options under the names that its messages use, in the order in which it checks them. */
export const OPTIONS = [
  "numeric",
  "connection",
  "service-address",
  "scheduler",
  "persistent",
  "netmask",
  "real-server",
  "forwarding-method",
  "weight",
  "u-threshold",
  "l-threshold",
  "mcast-interface",
  "timeout",
  "daemon",
  "stats",
  "rate",
  "thresholds",
  "persistent-conn",
  "nosort",
  "syncid",
  "exact",
  "ops",
  "pe",
  "sched-flags",
  "mcast-group",
  "mcast-port",
  "mcast-ttl",
  "sync-maxlen",
  "tun-info",
  "tun-type",
  "tun-port",
  "tun-nocsum",
  "tun-csum",
  "tun-remcsum",
] as const;
export type OptionName = typeof OPTIONS[number];

/** One word of the command line. */
export interface Word {
  readonly long: string;
  readonly short?: string;
  readonly argument: "none" | "required" | "optional";
  /** What it is as the first word. */
  readonly command?: CommandName | "help" | "version";
  /** What it is behind a command; `uncounted` ones are never refused and may be repeated. */
  readonly option?: OptionName | "ipv6" | "sort" | "lvsd" | "json";
}

/** Every word. `lvsd` and `json` are this program's own additions. */
export const WORDS: readonly Word[] = [
  { long: "add-service", short: "A", argument: "none", command: "add-service" },
  { long: "edit-service", short: "E", argument: "none", command: "edit-service" },
  { long: "delete-service", short: "D", argument: "none", command: "delete-service" },
  { long: "clear", short: "C", argument: "none", command: "flush" },
  { long: "list", short: "L", argument: "none", command: "list" },
  { long: "list", short: "l", argument: "none", command: "list" },
  { long: "zero", short: "Z", argument: "none", command: "zero" },
  { long: "add-server", short: "a", argument: "none", command: "add-server" },
  { long: "edit-server", short: "e", argument: "none", command: "edit-server" },
  { long: "delete-server", short: "d", argument: "none", command: "delete-server" },
  { long: "set", argument: "none", command: "set" },
  { long: "restore", short: "R", argument: "none", command: "restore" },
  { long: "save", short: "S", argument: "none", command: "save" },
  { long: "start-daemon", argument: "required", command: "start-daemon" },
  { long: "stop-daemon", argument: "required", command: "stop-daemon" },
  { long: "help", short: "h", argument: "none", command: "help" },
  { long: "version", short: "v", argument: "none", command: "version" },
  { long: "tcp-service", short: "t", argument: "required", option: "service-address" },
  { long: "udp-service", short: "u", argument: "required", option: "service-address" },
  { long: "sctp-service", argument: "required", option: "service-address" },
  { long: "fwmark-service", short: "f", argument: "required", option: "service-address" },
  { long: "ipv6", short: "6", argument: "none", option: "ipv6" },
  { long: "scheduler", short: "s", argument: "required", option: "scheduler" },
  { long: "persistent", short: "p", argument: "optional", option: "persistent" },
  { long: "netmask", short: "M", argument: "required", option: "netmask" },
  { long: "real-server", short: "r", argument: "required", option: "real-server" },
  { long: "masquerading", short: "m", argument: "none", option: "forwarding-method" },
  { long: "ipip", short: "i", argument: "none", option: "forwarding-method" },
  { long: "gatewaying", short: "g", argument: "none", option: "forwarding-method" },
  { long: "weight", short: "w", argument: "required", option: "weight" },
  { long: "u-threshold", short: "x", argument: "required", option: "u-threshold" },
  { long: "l-threshold", short: "y", argument: "required", option: "l-threshold" },
  { long: "numeric", short: "n", argument: "none", option: "numeric" },
  { long: "connection", short: "c", argument: "none", option: "connection" },
  { long: "mcast-interface", argument: "required", option: "mcast-interface" },
  { long: "syncid", argument: "required", option: "syncid" },
  { long: "timeout", argument: "none", option: "timeout" },
  { long: "daemon", argument: "none", option: "daemon" },
  { long: "stats", argument: "none", option: "stats" },
  { long: "rate", argument: "none", option: "rate" },
  { long: "thresholds", argument: "none", option: "thresholds" },
  { long: "persistent-conn", argument: "none", option: "persistent-conn" },
  { long: "nosort", argument: "none", option: "nosort" },
  { long: "sort", argument: "none", option: "sort" },
  { long: "exact", short: "X", argument: "none", option: "exact" },
  { long: "ops", short: "o", argument: "none", option: "ops" },
  { long: "pe", argument: "required", option: "pe" },
  { long: "sched-flags", short: "b", argument: "required", option: "sched-flags" },
  { long: "sync-maxlen", argument: "required", option: "sync-maxlen" },
  { long: "mcast-group", argument: "required", option: "mcast-group" },
  { long: "mcast-port", argument: "required", option: "mcast-port" },
  { long: "mcast-ttl", argument: "required", option: "mcast-ttl" },
  { long: "tun-info", argument: "none", option: "tun-info" },
  { long: "tun-type", argument: "required", option: "tun-type" },
  { long: "tun-port", argument: "required", option: "tun-port" },
  { long: "tun-nocsum", argument: "none", option: "tun-nocsum" },
  { long: "tun-csum", argument: "none", option: "tun-csum" },
  { long: "tun-remcsum", argument: "none", option: "tun-remcsum" },
  { long: "lvsd", argument: "none", option: "lvsd" },
  { long: "json", argument: "none", option: "json" },
];

/** What a command does with options: all others are illegal. */
export interface Allowance<Name extends string> {
  readonly required?: readonly Name[];
  readonly optional?: readonly Name[];
  /** Allowed, but only one of them. */
  readonly oneOf?: readonly Name[];
}

const SERVICE_OPTIONS: Allowance<OptionName> = {
  required: ["service-address"],
  optional: ["scheduler", "persistent", "netmask", "ops", "pe", "sched-flags"],
};
const TUNNEL_OPTIONS = ["tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"] as const;
const SERVER_OPTIONS: Allowance<OptionName> = {
  required: ["service-address", "real-server"],
  optional: ["forwarding-method", "weight", "u-threshold", "l-threshold", ...TUNNEL_OPTIONS],
};

/** Command by option. */
export const COMMAND_OPTIONS: Readonly<Record<CommandName, Allowance<OptionName>>> = {
  "add-service": SERVICE_OPTIONS,
  "edit-service": SERVICE_OPTIONS,
  "delete-service": { required: ["service-address"] },
  "flush": {},
  "list": {
    optional: [
      "numeric",
      "stats",
      "rate",
      "thresholds",
      "persistent-conn",
      "nosort",
      "syncid",
      "exact",
      "tun-info",
    ],
    oneOf: ["connection", "service-address", "timeout", "daemon"],
  },
  "add-server": SERVER_OPTIONS,
  "edit-server": SERVER_OPTIONS,
  "delete-server": { required: ["service-address", "real-server"] },
  "set": {},
  "start-daemon": {
    optional: ["mcast-interface", "syncid", "mcast-group", "mcast-port", "mcast-ttl", "sync-maxlen"],
  },
  "stop-daemon": { optional: ["syncid"] },
  "restore": {},
  "save": { optional: ["numeric"] },
  "zero": { optional: ["service-address"] },
};

/** Encapsulation by option. */
export const TUNNEL_TYPE_OPTIONS: Readonly<Record<TunnelType, Allowance<OptionName>>> = {
  ipip: {},
  gue: { required: ["tun-port"], oneOf: ["tun-nocsum", "tun-csum", "tun-remcsum"] },
  gre: { oneOf: ["tun-nocsum", "tun-csum"] },
};

/** Options that the check of a tunnel type looks at, in its order. */
export const TUNNEL_CHECKED = ["tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"] as const;
/** Options that need `-i`. */
export const NEED_TUNNEL: readonly OptionName[] = TUNNEL_OPTIONS;
