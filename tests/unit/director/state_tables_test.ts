/**
 * The whole tables of states and times against those of the kernel's description: the recordings reach half of the cells.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { nextSctpState, SCTP_EVENT, SCTP_TIMEOUTS_MS } from "../../../director/sctp_states.ts";
import { nextTcpState, TCP_STATE, TCP_TIMEOUTS_MS } from "../../../director/tcp_states.ts";
import { TCP_FLAG } from "../../../net/flow.ts";

/** Lines of words: what it is about, the way, the event, and what becomes of each state. */
const lines = readFileSync(new URL("../../fixtures/state_tables.txt", import.meta.url), "utf8")
  .trim().split("\n").map((line) => line.split(" "));
const WAYS = ["input", "output", "input-only"];
const SCTP_EVENTS: Readonly<Record<string, number>> = {
  d: SCTP_EVENT.data,
  i: SCTP_EVENT.init,
  ia: SCTP_EVENT.initAck,
  ce: SCTP_EVENT.cookieEcho,
  ca: SCTP_EVENT.cookieAck,
  s: SCTP_EVENT.shutdown,
  sa: SCTP_EVENT.shutdownAck,
  sc: SCTP_EVENT.shutdownComplete,
  er: SCTP_EVENT.error,
  ab: SCTP_EVENT.abort,
};

type Next = (state: number, way: number, event: string) => number;
const TABLES: readonly [about: string, protocol: string, next: Next][] = [
  ["tcp", "tcp", (state, way, event) => nextTcpState(state, way, flagOf(event), false)],
  ["secure", "tcp", (state, way, event) => nextTcpState(state, way, flagOf(event), true)],
  ["sctp", "sctp", (state, way, event) => nextSctpState(state, way, SCTP_EVENTS[event] ?? -1)],
];

function flagOf(event: string): number {
  return Object.entries(TCP_FLAG).find(([name]) => name === event)?.[1] ?? 0;
}

/** The words behind two given ones. */
function behind(first: string, second: string): string[] {
  return lines.find(([a, b]) => a === first && b === second)?.slice(2) ?? [];
}

for (const [about, protocol, next] of TABLES) {
  Deno.test(`states: every cell of the ${about} tables`, () => {
    const states = behind(protocol, "states");
    const rows = lines.filter(([a = "", b = ""]) => a === about && WAYS.includes(b));
    assert.equal(rows.length, about === "sctp" ? 30 : 12);
    for (const [, way = "", event = "", ...wanted] of rows) {
      const found = states.map((_, state) => states[next(state, WAYS.indexOf(way), event)]);
      assert.deepEqual(found, wanted, `${about} ${way} ${event}`);
    }
  });
}

Deno.test("states: how long each lasts", () => {
  for (const [protocol, times] of [["tcp", TCP_TIMEOUTS_MS], ["sctp", SCTP_TIMEOUTS_MS]] as const) {
    assert.deepEqual(times.map((ms) => String(ms / 1_000)), behind(protocol, "seconds"), protocol);
  }
});

Deno.test("states: of several flags RST counts before SYN, SYN before FIN, FIN before ACK; PSH says nothing", () => {
  const { rst, syn, fin, ack } = TCP_FLAG;
  for (let flags = 0; flags < 64; flags++) {
    const first = [rst, syn, fin, ack].find((it) => (flags & it) !== 0);
    for (let state = 0; state < TCP_TIMEOUTS_MS.length; state++) {
      const wanted = first === undefined ? TCP_STATE.close : nextTcpState(state, 0, first, false);
      assert.equal(nextTcpState(state, 0, flags, false), wanted, `flags ${flags} in state ${state}`);
    }
  }
});
