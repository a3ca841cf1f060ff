/**
 * Every switch of `net.ipv4.vs.*`: name and default as in a 6.1 kernel, what it does, and where it does nothing here. The
 * store, the config, `lvsd sysctl` and docs/sysctl.md are made from this table.
 *
 * @module
 */

/**
 * `all`: acts in every engine. `packets`: the decision is made, but only an engine that sees packets asks for it, or carries it
 * out. `none`: kept and shown, and nothing reads it.
 */
export type SwitchEffect = "all" | "packets" | "none";

/** One switch. */
export interface Switch {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** What it does, without capital and full stop. */
  readonly meaning: string;
  readonly effect: SwitchEffect;
  /** Where lvsd differs from the kernel, and why; "" for nowhere. */
  readonly note: string;
  /** Only 1, 2, 4, 8, ... */
  readonly powerOfTwo?: true;
}

const INT_MAX = 2 ** 31 - 1;
const OFF = { default: 0, min: 0, max: 1 } as const;
const ON = { default: 1, min: 0, max: 1 } as const;
const LEVEL = { default: 0, min: 0, max: 3 } as const;
const COUNT = { min: 0, max: INT_MAX } as const;
const ALL = { effect: "all", note: "" } as const;
const NO_SYNC = { effect: "none", note: "there is no sync daemon yet" } as const;

/** Their order is their place in the store: append only. */
export const SWITCHES = {
  amemthresh: {
    ...COUNT,
    default: 1_024,
    meaning: "below so many free ones memory is short, and the automatic levels of the three defences act",
    effect: "all",
    note:
      "counts free connection entries, the memory that lvsd can run out of, where the kernel counts free pages",
  },
  am_droprate: {
    ...COUNT,
    default: 10,
    meaning: "one in so many packets is dropped while drop_packet is 3; 0 drops none",
    ...ALL,
  },
  drop_entry: {
    ...LEVEL,
    meaning:
      "each second ends half-open and long quiet connections of a 32nd of the table: 0 never, 1 when memory is short " +
      "(it becomes 2 while that lasts), 3 always",
    ...ALL,
  },
  drop_packet: {
    ...LEVEL,
    meaning: "drops a part of the packets that would open a connection; levels as drop_entry",
    ...ALL,
  },
  secure_tcp: {
    ...LEVEL,
    meaning: "a client's ACK alone no longer makes a connection ESTABLISHED; levels as drop_entry",
    effect: "all",
    note: "in a socket engine a connection stays SYNACK until its server sends something",
  },
  conntrack: {
    ...OFF,
    meaning: "keeps netfilter's connection tracking for packets of virtual services",
    effect: "none",
    note: "lvsd sees its packets before or beside netfilter; no engine uses the host's connection tracking",
  },
  snat_reroute: {
    ...ON,
    meaning: "answers of NAT servers are routed again after their source address was rewritten",
    effect: "none",
    note: "socket engines send answers as their own; the packet engine routes every answer by its new source",
  },
  sync_version: { ...ON, meaning: "format of the sync daemon's messages", ...NO_SYNC },
  sync_ports: {
    default: 1,
    min: 1,
    max: 64,
    powerOfTwo: true,
    meaning: "ports and threads of the sync daemon; a power of two",
    ...NO_SYNC,
  },
  sync_persist_mode: { ...OFF, meaning: "syncs templates instead of their connections", ...NO_SYNC },
  sync_qlen_max: { ...COUNT, default: 18_721, meaning: "messages that wait for the sync daemon", ...NO_SYNC },
  sync_sock_size: {
    ...COUNT,
    default: 0,
    meaning: "socket buffer of the sync daemon, 0: the system's",
    ...NO_SYNC,
  },
  /** The pair `sync_threshold` of the kernel: how many packets, and in which period. */
  sync_threshold: {
    ...COUNT,
    default: 3,
    meaning: "packets before a connection is synced, and the period after which it is synced again",
    ...NO_SYNC,
  },
  sync_threshold_period: { ...COUNT, default: 50, meaning: "second number of sync_threshold", ...NO_SYNC },
  sync_refresh_period: {
    ...COUNT,
    default: 0,
    meaning: "seconds before an unchanged connection is synced again",
    ...NO_SYNC,
  },
  sync_retries: { default: 0, min: 0, max: 3, meaning: "how often a sync message is repeated", ...NO_SYNC },
  nat_icmp_send: {
    ...OFF,
    meaning: "a NAT server whose packet belongs to no connection gets ICMP port unreachable",
    effect: "packets",
    note: "sockets never deliver such a packet",
  },
  cache_bypass: {
    ...OFF,
    meaning: "packets of a mark without a server go on to their original address",
    effect: "packets",
    note: "a socket engine is the connection's end, so there is no original address to go on to",
  },
  expire_nodest_conn: {
    ...OFF,
    meaning:
      "connections of a deleted server end at once, and a new connection from the port of one to a quiesced server is " +
      "scheduled anew",
    ...ALL,
  },
  expire_quiescent_template: {
    ...OFF,
    meaning: "a server with weight 0 loses its persistent clients at their next connection",
    ...ALL,
  },
  sloppy_tcp: {
    ...OFF,
    meaning: "a TCP packet without SYN may open a connection",
    effect: "packets",
    note: "a socket's connection always begins with SYN",
  },
  sloppy_sctp: {
    ...OFF,
    meaning: "an SCTP chunk other than INIT may open an association",
    effect: "packets",
    note: "socket engines serve TCP and UDP",
  },
  pmtu_disc: {
    ...ON,
    meaning: "tunnels respect the path MTU: the outer packet has the inner one's DF",
    effect: "packets",
    note: "socket engines have no tunnels",
  },
  backup_only: {
    ...OFF,
    meaning: "a backup of the sync daemon does not act as director",
    ...NO_SYNC,
  },
  conn_reuse_mode: {
    default: 1,
    min: 0,
    max: 3,
    meaning:
      "a SYN on an ended connection is scheduled anew: 0 never, 1 after TIME_WAIT and CLOSE, 2 and 3 for DR and TUN also " +
      "after FIN_WAIT",
    ...ALL,
  },
  schedule_icmp: {
    ...OFF,
    meaning: "an ICMP error about no known connection may make one",
    effect: "packets",
    note: "sockets never deliver such a packet",
  },
  ignore_tunneled: {
    ...OFF,
    meaning: "packets inside another protocol are left alone when they come out of it",
    effect: "packets",
    note: "socket engines see no packet of another protocol",
  },
  run_estimation: {
    ...ON,
    meaning: "rates and the counters that --stats shows are estimated every 2 s; 0 holds them",
    effect: "all",
    note: "status and metrics show live counters whatever it says",
  },
  lblc_expiration: {
    ...COUNT,
    default: 86_400,
    meaning: "seconds after which lblc forgets an address that nobody asked for",
    ...ALL,
  },
  lblcr_expiration: {
    ...COUNT,
    default: 86_400,
    meaning: "seconds after which lblcr forgets an address that nobody asked for",
    ...ALL,
  },
} as const satisfies Record<string, Switch>;

/** Switches of other kernels that people look for here, and why they are missing. */
export const ABSENT_SWITCHES: Readonly<Record<string, string>> = {
  est_cpulist: "came with kernel 6.2, where threads estimate rates; here one timer does, as in 6.1",
  est_nice: "came with kernel 6.2, where threads estimate rates; here one timer does, as in 6.1",
  conn_max: "came with kernel 7; the connection table of lvsd has a fixed capacity",
  conn_lfactor: "came with kernel 7; the connection table of lvsd has a fixed capacity",
  svc_lfactor: "came with kernel 7; lvsd sizes its table of services by its capacity",
};
