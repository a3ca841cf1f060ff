/**
 * What Deno has to allow, feature by feature: the table of docs/deploy.md.
 *
 * @module
 */

/** Environment variables that lvsd itself asks for (NO_COLOR is free); the last two are the YAML parser's. */
export const OWN_VARIABLES: readonly string[] = [
  "LVSD_BUILD",
  "LVSD_SOCKET",
  "LVSD_TOKEN",
  "NOTIFY_SOCKET",
  "TEMP",
  "TMP",
  "TMPDIR",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "XDG_RUNTIME_DIR",
  "LOG_STREAM",
  "LOG_TOKENS",
];

/** One row of the table in docs/deploy.md. */
export interface Feature {
  readonly name: string;
  readonly permissions: readonly string[];
  /** What happens without them. */
  readonly without: string;
}

const REFUSED = "refused, the message names the flag";

/** Feature by feature; words in capitals stand for values of the configuration. */
export const FEATURES: readonly Feature[] = [
  { name: "every command", permissions: [`--allow-env=${OWN_VARIABLES.join(",")}`], without: REFUSED },
  { name: "`lvsd run`", permissions: ["--allow-sys=uid,networkInterfaces"], without: REFUSED },
  { name: "a config file, `--watch`", permissions: ["--allow-read=FOLDER"], without: REFUSED },
  { name: "`${NAME}` in it", permissions: ["--allow-env=NAME"], without: REFUSED },
  {
    name: "a service, the admin address",
    permissions: ["--allow-net=ADDRESS:PORT"],
    without: "unbound, the reason names the flag; admin: refused, the message names it",
  },
  {
    name: "a destination by address",
    permissions: ["--allow-net=ADDRESS:PORT"],
    without: "down, its reason names the flag",
  },
  {
    name: "a destination with `tunnelTo`",
    permissions: ["--allow-net=ADDRESS:PORT", "--allow-read=KEYFILE"],
    without: "no connections, the log names the flag",
  },
  {
    name: "a destination with `handOver`",
    permissions: ["--allow-ffi"],
    without: "unbound, the reason names the flag",
  },
  {
    name: "a destination by name",
    permissions: ["--allow-net"],
    without: "no address, the log names the flag; addresses are not known before",
  },
  {
    name: "a service over UDP",
    permissions: ["--allow-net=0.0.0.0:0,[::]:0"],
    without: "no sessions, the log names the flag",
  },
  {
    name: "the control socket",
    permissions: ["--allow-read=FOLDER", "--allow-write=FOLDER", "--allow-net=unix:PATH,unix:PATH~/s"],
    without: REFUSED,
  },
  { name: "`--state FILE`", permissions: ["--allow-read=FOLDER", "--allow-write=FOLDER"], without: REFUSED },
  {
    name: "health checks of type `exec`",
    permissions: ["--allow-run=PROGRAM", "--allow-env=PATH"],
    without: "down, its reason names the flag",
  },
  {
    name: "health checks of type `https` with `verify: true`",
    permissions: ["--allow-sys"],
    without: "down, its reason names the flag",
  },
  {
    name: "the native and the packet engine, systemd, the limit of descriptors",
    permissions: ["--allow-ffi", "--allow-read=PROGRAM"],
    without: "the portable engine, systemd is not told, no limit is known; the log names the flag",
  },
  { name: "`--user`", permissions: ["--allow-ffi"], without: REFUSED },
  {
    name: "noticing that no descriptor is left",
    permissions: ["--allow-read=/dev/null"],
    without: "not noticed, and the log says so",
  },
  {
    name: "`lvsd status` and others that ask a daemon",
    permissions: ["--allow-sys=uid", "--allow-read=PATH", "--allow-write=PATH", "--allow-net=unix:PATH"],
    without: REFUSED,
  },
  { name: "`lvsd record -o FILE`", permissions: ["--allow-write=FILE"], without: REFUSED },
  { name: "`lvsd check FILE`", permissions: ["--allow-sys=uid", "--allow-read=FOLDER"], without: REFUSED },
  {
    name: "`lvsd simulate FILE`, `explain -c FILE`, `import FILE`",
    permissions: ["--allow-read=FILE"],
    without: REFUSED,
  },
  { name: "`lvsd realserver dr`", permissions: ["--allow-run=ip,sysctl"], without: REFUSED },
  {
    name: "`lvsd realserver tun`",
    permissions: ["--allow-run=ip,sysctl", "--allow-ffi", "--allow-read=PROGRAM"],
    without: REFUSED,
  },
  {
    name: "`lvsd realserver --receive PATH`",
    permissions: ["--allow-ffi", "--allow-read=PATH", "--allow-write=PATH"],
    without: REFUSED,
  },
  {
    name: "`lvsd realserver --tunnel ADDRESS`",
    permissions: ["--allow-net=ADDRESS:PORT,SERVER:PORT,0.0.0.0:0", "--allow-read=KEYFILE"],
    without: REFUSED,
  },
  {
    name: "`lvsd doctor`",
    permissions: ["--allow-all"],
    without: "it sees less of the host, and says so with the flag",
  },
];
