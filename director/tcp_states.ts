/**
 * The TCP state machine of IPVS, as data: three tables for the ways a packet can come, and their variants for
 * `secure_tcp`.
 *
 * @module
 */
import { TCP_FLAG } from "../net/flow.ts";

/** States in the kernel's numbering. */
export const TCP_STATES = [
  "NONE",
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "SYNACK",
] as const;
export const TCP_STATE = {
  none: 0,
  established: 1,
  synSent: 2,
  synReceived: 3,
  finWait: 4,
  timeWait: 5,
  close: 6,
  closeWait: 7,
  lastAck: 8,
  listen: 9,
  synAck: 10,
} as const;

/** Milliseconds a connection stays in each state without a packet. */
export const TCP_TIMEOUTS_MS = [2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120].map((s) => s * 1_000);

/** Where a packet comes from. `inputOnly`: from the client while the director has never seen an answer (DR, TUN). */
export const TCP_WAY = { input: 0, output: 1, inputOnly: 2 } as const;

/** Two letters per state, in the kernel's order. */
const LETTERS = ["NO", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA"];

// Columns are the old state in the order of LETTERS, rows the event: syn, fin, ack, rst.
const INPUT = `
  SR ES ES SR SR SR SR SR SR SR SR
  CL CW SS TW TW TW CL CW LA LI TW
  ES ES SS ES FW TW CL CW CL LI ES
  CL CL CL SR CL CL CL CL LA LI SR`;
const OUTPUT = `
  SS ES SS SR SS SS SS SS SS LI SR
  TW FW SS TW FW TW CL TW LA LI TW
  ES ES SS ES FW TW CL CW LA ES ES
  CL CL SS CL CL TW CL CL CL CL CL`;
const INPUT_ONLY = `
  SR ES ES SR SR SR SR SR SR SR SR
  CL FW SS TW FW TW CL CW LA LI TW
  ES ES SS ES FW TW CL CW CL LI ES
  CL CL CL SR CL CL CL CL LA LI CL`;
// secure_tcp: a client's ACK alone establishes nothing.
const INPUT_SECURE = `
  SR ES ES SR SR SR SR SR SR SR SA
  CL CW SS TW TW TW CL CW LA LI SA
  ES ES SS SR FW TW CL CW CL LI SA
  CL CL CL SR CL CL CL CL LA LI CL`;
const OUTPUT_SECURE = `
  SS ES SS SA SS SS SS SS SS LI SA
  TW FW SS TW FW TW CL TW LA LI TW
  ES ES SS ES FW TW CL CW LA ES ES
  CL CL SS CL CL TW CL CL CL CL CL`;
const INPUT_ONLY_SECURE = `
  SA ES ES SR SA SA SA SA SA SA SA
  CL FW SS TW FW TW CL CW LA LI TW
  ES ES SS ES FW TW CL CW CL LI ES
  CL CL CL SR CL CL CL CL LA LI CL`;

const EVENTS = 4;
/** Row length rounded up to a power of two. */
const COLUMNS = 16;
const WAYS = 3;
const TABLE_SIZE = WAYS * EVENTS * COLUMNS;

/** Next state by table (normal, secure), way, event and state. */
const NEXT_STATE = new Uint8Array(
  [INPUT, OUTPUT, INPUT_ONLY, INPUT_SECURE, OUTPUT_SECURE, INPUT_ONLY_SECURE].flatMap((table) =>
    table.trim().split("\n").flatMap((row) => {
      const states = row.trim().split(" ").map((letters) => LETTERS.indexOf(letters));
      return [...states, ...new Array<number>(COLUMNS - states.length).fill(TCP_STATE.close)];
    })
  ),
);

const NO_EVENT = 255;
/** Event by the low five flag bits: RST beats SYN beats FIN beats ACK. */
const EVENT_OF_FLAGS = Uint8Array.from({ length: 32 }, (_, flags) => {
  const order = [TCP_FLAG.syn, TCP_FLAG.fin, TCP_FLAG.ack, TCP_FLAG.rst];
  if (flags & TCP_FLAG.rst) return order.indexOf(TCP_FLAG.rst);
  const event = order.findIndex((flag) => (flags & flag) !== 0);
  return event < 0 ? NO_EVENT : event;
});

/** States that count as ActiveConn; the rest are InActConn. */
export const TCP_ACTIVE = Uint8Array.from(
  TCP_STATES,
  (state) => Number(["SYN_SENT", "SYN_RECV", "ESTABLISHED", "SYNACK"].includes(state)),
);

/**
 * The state after a packet. A packet without any of the four flags closes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { TCP_FLAG } from "../net/flow.ts";
 *
 * const half = nextTcpState(TCP_STATE.none, TCP_WAY.input, TCP_FLAG.syn, false);
 * assert.equal(TCP_STATES[half], "SYN_RECV");
 * assert.equal(nextTcpState(half, TCP_WAY.input, TCP_FLAG.ack, false), TCP_STATE.established);
 * ```
 */
export function nextTcpState(state: number, way: number, flags: number, secure: boolean): number {
  const event = EVENT_OF_FLAGS[flags & 31] ?? NO_EVENT;
  if (event === NO_EVENT) return TCP_STATE.close;
  const table = secure ? TABLE_SIZE : 0;
  return NEXT_STATE[table + (way * EVENTS + event) * COLUMNS + state] ?? TCP_STATE.close;
}
