/**
 * What a host needs so that answers to a client's address, from which lvsd has connected, come to lvsd: a mark on what is
 * for such a socket, and rules and a route that deliver here what is marked.
 *
 * Host-wide and independent of services and destinations. Everything has lvsd's own table, mark and protocol number, so
 * that leftovers of a killed lvsd are known and replaced by the next start.
 *
 * @module
 */

/** Mark of the packets, and number of the routing table: "LV" in ASCII. */
export const TRANSPARENT_MARK = 0x4c56;
/** Who made a rule or route, for people that list them. */
const ROUTE_PROTOCOL = "76";
const NFT_TABLE = "lvsd_transparent";

const table = `${TRANSPARENT_MARK}`;
const mark = `0x${TRANSPARENT_MARK.toString(16)}`;

/** `socket transparent` finds the socket that a packet is for. */
const NFT_RULES = `table inet ${NFT_TABLE} { chain back { type filter hook prerouting priority mangle; ` +
  `meta l4proto tcp socket transparent 1 meta mark set ${mark}; }; }`;

/** What a real server on a loopback address sends to a client has no other way: it would be refused a route. */
const LOOPBACK = { "-4": "127.0.0.0/8", "-6": "::1" } as const;

/** One missing piece can be mended by itself. */
export interface NetworkPiece {
  /** Stable word: `transparent-mark`. */
  readonly id: string;
  /** What it is for, as the end of a sentence that begins with its absence. */
  readonly what: string;
  /** Words of the command that shows it, and what is in its output when the piece is there. */
  readonly look: readonly string[];
  readonly sign: string;
  readonly setUp: readonly string[];
  readonly undo: readonly string[];
}

/** In the order of setting up. */
export const TRANSPARENT_PIECES: readonly NetworkPiece[] = [
  ...(["-4", "-6"] as const).flatMap((family): NetworkPiece[] => [
    {
      id: `transparent-route${family}`,
      what: `no route delivers marked IPv${family.slice(1)} packets to this host`,
      look: ["ip", family, "route", "show", "table", table],
      sign: "local default dev lo",
      setUp: ["ip", family, "route", "add", "local", "default", "dev", "lo", "table", table]
        .concat("proto", ROUTE_PROTOCOL),
      undo: ["ip", family, "route", "del", "local", "default", "dev", "lo", "table", table],
    },
    {
      id: `transparent-rule${family}`,
      what: `no rule leads marked IPv${family.slice(1)} packets to that route`,
      look: ["ip", family, "rule", "show"],
      sign: `fwmark ${mark} lookup ${table}`,
      setUp: ["ip", family, "rule", "add", "fwmark", mark, "lookup", table, "protocol", ROUTE_PROTOCOL],
      undo: ["ip", family, "rule", "del", "fwmark", mark, "lookup", table],
    },
    {
      id: `transparent-loopback${family}`,
      what: `no rule keeps the answers of real servers on ${LOOPBACK[family]} on this host`,
      look: ["ip", family, "rule", "show"],
      sign: `from ${LOOPBACK[family]} lookup ${table}`,
      setUp: ["ip", family, "rule", "add", "from", LOOPBACK[family], "lookup", table]
        .concat("protocol", ROUTE_PROTOCOL),
      undo: ["ip", family, "rule", "del", "from", LOOPBACK[family], "lookup", table],
    },
  ]),
  {
    id: "transparent-mark",
    what: "nothing marks the answers of real servers",
    look: ["nft", "list", "table", "inet", NFT_TABLE],
    sign: "socket transparent 1",
    setUp: ["nft", NFT_RULES],
    undo: ["nft", "delete", "table", "inet", NFT_TABLE],
  },
];

/** A command as a line for a shell. */
export function commandLine(words: readonly string[]): string {
  return words.map((it) => /^[\w./:=-]+$/.test(it) ? it : `'${it}'`).join(" ");
}
