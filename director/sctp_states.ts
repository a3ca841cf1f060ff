/**
 * The SCTP state machine of IPVS, as data. A packet's event is that of its first chunk.
 *
 * @module
 */

/** States in the kernel's numbering, by the names that `ipvsadm -Lc` prints. */
export const SCTP_STATES = [
  "NONE",
  "INIT1",
  "INIT",
  "C-SENT",
  "C-REPLIED",
  "C-WAIT",
  "COOKIE",
  "C-ECHOED",
  "ESTABLISHED",
  "S-SENT",
  "S-RECEIVED",
  "S-ACK-SENT",
  "REJECTED",
  "CLOSED",
] as const;
export const SCTP_STATE = { none: 0, init1: 1, init: 2, established: 8, closed: 13 } as const;

/** Milliseconds an association stays in each state without a packet. */
export const SCTP_TIMEOUTS_MS = [2, 4, 61, 61, 61, 61, 61, 61, 900, 61, 61, 61, 4, 61].map((s) => s * 1_000);

/**
 * What a packet engine passes as `flags` of an SCTP segment. COOKIE ECHO and COOKIE ACK that an ABORT chunk follows
 * are `abort`; unknown types are `data`.
 */
export const SCTP_EVENT = {
  data: 0,
  init: 1,
  initAck: 2,
  cookieEcho: 3,
  cookieAck: 4,
  shutdown: 5,
  shutdownAck: 6,
  shutdownComplete: 7,
  error: 8,
  abort: 9,
} as const;

/** Two letters per state, in the kernel's order. */
const LETTERS = ["NO", "I1", "IN", "CS", "CR", "CW", "CO", "CE", "ES", "SS", "SR", "SA", "RJ", "CL"];

// Columns are the old state in the order of LETTERS, rows the event in the order of SCTP_EVENT.
const INPUT = `
  ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  I1 IN IN CS CR CW CO CE ES SS SR SA IN IN
  CW CW CW CS CR CO CO CE ES SS SR SA RJ CL
  CR IN IN CR CR CW CO CE ES SS SR SA RJ CL
  ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL
  SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL
  CL IN IN CS CR CW CO CE ES CL SR CL RJ CL
  CL CL CL CS CR CW CO CE ES SS SR CL RJ CL
  CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL
  CL CL CL CL CL RJ CL CL CL CL CL CL CL CL`;
const OUTPUT = `
  ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  CW CW CW CW CW CW CW CW ES CW CW CW CW CW
  CS CS CS CS CR CW CO CE ES SS SR SA RJ CL
  CE CE CE CE CE CE CE CE ES SS SR SA RJ CL
  ES ES ES ES ES ES ES ES ES SS SR SA RJ CL
  SS SS SS SS SS SS SS SS SS SS SR SA RJ CL
  SA SA SA SA SA CW CO CE ES SA SA SA RJ CL
  CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  CL CL CL CL CL CW CO CE ES SS SR SA RJ CL
  CL RJ CL CL CL CL CL CL CL CL CL CL CL CL`;
const INPUT_ONLY = `
  ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL
  I1 IN IN IN IN IN CO CE ES SS SR SA IN IN
  CE CE CE CE CE CE CO CE ES SS SR SA RJ CL
  ES ES ES ES ES ES CO CE ES SS SR SA RJ CL
  ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL
  SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL
  CL IN IN CS CR CW CO CE CL CL SR CL RJ CL
  CL CL CL CL CL CW CO CE ES SS CL CL RJ CL
  CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  CL CL CL CL CL RJ CL CL CL CL CL CL CL CL`;

const EVENTS = 10;
/** Row length rounded up to a power of two. */
const COLUMNS = 16;

/** Next state by way (input, output, input only), event and state. */
const NEXT_STATE = new Uint8Array(
  [INPUT, OUTPUT, INPUT_ONLY].flatMap((table) =>
    table.trim().split("\n").flatMap((row) => {
      const states = row.trim().split(" ").map((letters) => LETTERS.indexOf(letters));
      return [...states, ...new Array<number>(COLUMNS - states.length).fill(SCTP_STATE.closed)];
    })
  ),
);

/**
 * The state after a packet; `way` as for TCP.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const opened = nextSctpState(SCTP_STATE.none, 0, SCTP_EVENT.init);
 * assert.equal(SCTP_STATES[opened], "INIT1");
 * assert.equal(nextSctpState(SCTP_STATE.established, 0, SCTP_EVENT.abort), SCTP_STATE.closed);
 * ```
 */
export function nextSctpState(state: number, way: number, event: number): number {
  return NEXT_STATE[(way * EVENTS + event) * COLUMNS + state] ?? SCTP_STATE.closed;
}
