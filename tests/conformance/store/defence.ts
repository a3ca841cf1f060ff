/** `drop_packet`, `drop_entry` and `secure_tcp`, always and under memory pressure. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import type { EndCause } from "../../../director/entries.ts";
import { SCTP_EVENT } from "../../../director/sctp_states.ts";
import { ACTION, DROP_REASON } from "../../../director/verdict.ts";
import { PROTOCOL } from "../../../net/flow.ts";
import {
  ACK,
  back,
  type Cases,
  close,
  counts,
  destination,
  FIN,
  from,
  open,
  SYN,
  tcp,
  tcpService,
  udp,
  udpService,
} from "../../unit/director/testbed.ts";

function withOne(director: Director, more: Parameters<typeof tcpService>[1] = {}): number {
  const service = director.addService(tcpService("10.99.0.1:80", more), 0);
  return director.addDestination(service, destination("10.2.0.1:80"), 0);
}

/** Which of `count` SYNs were dropped, by number from 1. */
function dropped(director: Director, count: number, firstPort = 1): number[] {
  const numbers: number[] = [];
  for (let i = 1; i <= count; i++) {
    const verdict = from(director, tcp(`192.0.2.1:${1_000 + firstPort + i}`), SYN, 0);
    if (verdict.action !== ACTION.drop) continue;
    assert.equal(verdict.reason, DROP_REASON.memoryPressure);
    numbers.push(i);
  }
  return numbers;
}

const EACH = 20;
type Packet = readonly [way: "i" | "o", flags: number] | "secure";

/** Ways into states, by name; of SCTP the flags are events. */
const GROUPS: readonly [name: string, protocol: "tcp" | "sctp", ...packets: Packet[]][] = [
  ["SYN_RECV", "tcp", ["i", SYN]],
  ["SYNACK", "tcp", ["i", SYN], "secure", ["o", SYN | ACK]],
  ["ESTABLISHED", "tcp", ["i", SYN], ["o", SYN | ACK], ["i", ACK]],
  ["FIN_WAIT", "tcp", ["i", SYN], ["o", SYN | ACK], ["i", ACK], ["o", FIN | ACK]],
  ["TIME_WAIT", "tcp", ["i", SYN], ["o", SYN | ACK], ["i", FIN | ACK]],
  ["INIT1", "sctp", ["i", SCTP_EVENT.init]],
  ["INIT", "sctp", ["i", SCTP_EVENT.init], ["i", SCTP_EVENT.init]],
  ["C-SENT", "sctp", ["i", SCTP_EVENT.init], ["o", SCTP_EVENT.initAck]],
  ["association", "sctp", ["i", SCTP_EVENT.init], ["o", SCTP_EVENT.cookieAck]],
];

/** Seconds go by until nothing of the table can have been left out. */
function letSecondsPass(director: Director, fromMs: number, seconds: number): number {
  for (let i = 1; i <= seconds; i++) director.advance(fromMs + i * 1_000);
  return fromMs + seconds * 1_000;
}

export const defenceCases: Cases = {
  "drop_packet 3: one in am_droprate, the first included, and known connections never": (make) => {
    const director = make();
    withOne(director);
    const known = tcp("192.0.2.9:9");
    open(director, known, 0);
    director.sysctl.drop_packet = 3;
    assert.deepEqual(dropped(director, 31), [1, 11, 21, 31]);
    director.sysctl.am_droprate = 3;
    assert.deepEqual(dropped(director, 12, 100), [10], "the count of ten runs out first");
    assert.deepEqual(dropped(director, 6, 200), [1, 4]);
    for (let i = 0; i < 30; i++) assert.equal(from(director, known, ACK, 0).action, ACTION.forward);
    assert.equal(director.drops.memoryPressure, 7);
  },

  "drop_packet drops only what a service would have taken": (make) => {
    const director = make();
    withOne(director);
    director.sysctl.drop_packet = 3;
    director.sysctl.am_droprate = 1;
    assert.equal(from(director, tcp("192.0.2.1:1", "10.99.0.9:80"), SYN, 0).action, ACTION.accept);
    assert.equal(from(director, tcp("192.0.2.1:1"), ACK, 0).action, ACTION.accept);
    assert.equal(from(director, tcp("192.0.2.1:1"), SYN, 0).reason, DROP_REASON.memoryPressure);
    director.sysctl.drop_packet = 0;
    assert.equal(from(director, tcp("192.0.2.1:1"), SYN, 0).action, ACTION.forward);
  },

  "drop_packet comes before the rule that FTP's data port opens nothing": (make) => {
    const director = make();
    withOne(director);
    director.sysctl.drop_packet = 3;
    director.sysctl.am_droprate = 2;
    const reasons = [1, 2, 3].map(() => from(director, tcp("192.0.2.1:20"), SYN, 0).reason);
    assert.deepEqual(reasons, [DROP_REASON.memoryPressure, DROP_REASON.notNew, DROP_REASON.memoryPressure]);
  },

  "automatic: 1 becomes 2 while entries are short, and the rate grows as they get fewer": (make) => {
    let available = 5_000;
    const director = make({ availableEntries: () => available });
    withOne(director);
    for (const name of ["drop_packet", "drop_entry", "secure_tcp"] as const) director.sysctl[name] = 1;
    const modes = () => [director.sysctl.drop_packet, director.sysctl.drop_entry, director.sysctl.secure_tcp];
    assert.deepEqual(dropped(director, 20), []);
    available = 768;
    director.advance(1_000);
    assert.deepEqual(modes(), [2, 2, 2]);
    // 1024 / (1024 - 768)
    assert.deepEqual(dropped(director, 12, 100), [4, 8, 12]);
    available = 200;
    director.advance(1_500);
    assert.deepEqual(dropped(director, 4, 200), [4], "looked at once a second");
    director.advance(2_000);
    assert.deepEqual(dropped(director, 3, 300), [1, 2, 3]);
    available = 1_024;
    director.advance(3_000);
    assert.deepEqual(modes(), [1, 1, 1]);
    assert.deepEqual(dropped(director, 20, 400), []);
  },

  "2 written by hand goes back to 1 at once while there is room, 0 and 3 stay": (make) => {
    let available = 5_000;
    const director = make({ availableEntries: () => available });
    director.sysctl.secure_tcp = 2;
    assert.equal(director.sysctl.secure_tcp, 1);
    director.sysctl.drop_packet = 3;
    director.sysctl.drop_entry = 0;
    available = 0;
    director.advance(1_000);
    assert.deepEqual(
      [director.sysctl.secure_tcp, director.sysctl.drop_packet, director.sysctl.drop_entry],
      [2, 3, 0],
    );
  },

  "ended connections are room, living ones are not": (make) => {
    const director = make();
    withOne(director);
    director.sysctl.amemthresh = 250;
    director.sysctl.secure_tcp = 1;
    const flows = Array.from({ length: 10 }, (_, i) => tcp(`192.0.2.1:${i + 1}`));
    for (const flow of flows) open(director, flow, 0);
    director.advance(1_000);
    assert.equal(director.sysctl.secure_tcp, 2, "246 of 256");
    for (const flow of flows.slice(0, 4)) close(director, flow, 1_000);
    director.advance(2_000);
    assert.equal(director.sysctl.secure_tcp, 1, "250 of 256");
  },

  "secure_tcp: a client's ACK alone establishes nothing": (make) => {
    for (const [level, state] of [[0, "ESTABLISHED"], [1, "ESTABLISHED"], [3, "SYN_RECV"]] as const) {
      const director = make({ availableEntries: () => 5_000 });
      withOne(director);
      director.sysctl.secure_tcp = level;
      const flow = tcp("192.0.2.1:1");
      from(director, flow, SYN, 0);
      from(director, flow, ACK, 0);
      assert.equal([...director.connections()][0]?.state, state, `secure_tcp ${level}`);
    }
  },

  "secure_tcp 1 acts as 3 does while entries are short": (make) => {
    let available = 1_000;
    const director = make({ availableEntries: () => available });
    withOne(director);
    director.sysctl.secure_tcp = 1;
    const stateAfter = (client: string) => {
      const flow = tcp(client);
      from(director, flow, SYN, 0);
      from(director, flow, ACK, 0);
      return [...director.connections()].at(-1)?.state;
    };
    assert.equal(stateAfter("192.0.2.1:1"), "SYN_RECV");
    available = 5_000;
    director.advance(1_000);
    assert.equal(stateAfter("192.0.2.1:2"), "ESTABLISHED");
  },

  "drop_entry: half-open connections go, established ones with traffic stay": (make) => {
    const causes: EndCause[] = [];
    const director = make({ onExpire: (_entry, { cause }) => causes.push(cause) });
    const handle = withOne(director);
    for (let i = 1; i <= 100; i++) from(director, tcp(`192.0.2.1:${1_000 + i}`), SYN, 0);
    const living = Array.from({ length: 20 }, (_, i) => tcp(`192.0.2.2:${1_000 + i}`));
    for (const flow of living) open(director, flow, 0);
    director.advance(0);
    director.sysctl.drop_entry = 3;
    letSecondsPass(director, 0, 59);
    const left = counts(director.destinationView(handle));
    assert.ok(left[0] !== undefined && left[0] < 60 && left[0] >= 20, `${left[0]} are left`);
    assert.equal(causes.length, 120 - left[0]);
    assert.deepEqual([...new Set(causes)], ["dropped"]);
    for (const flow of living) assert.equal(from(director, flow, ACK, 59_000).isNew, false);
  },

  "drop_entry 1: the table is looked at while entries are short, and only then": (make) => {
    let available = 5_000;
    const director = make({ availableEntries: () => available });
    withOne(director);
    director.sysctl.drop_entry = 1;
    for (let i = 1; i <= 100; i++) from(director, tcp(`192.0.2.1:${1_000 + i}`), SYN, 0);
    director.advance(0);
    letSecondsPass(director, 0, 20);
    assert.equal(director.connectionCount, 100);
    available = 1_000;
    letSecondsPass(director, 20_000, 20);
    const left = director.connectionCount;
    assert.ok(left < 90, `${left} are left`);
    available = 5_000;
    letSecondsPass(director, 40_000, 15);
    assert.equal(director.connectionCount, left);
  },

  "drop_entry: quiet for a minute and few packets, one in as many as it sent": (make) => {
    const director = make();
    const service = director.addService(udpService(), 0);
    const handle = director.addDestination(service, destination("10.2.0.1:53"), 0);
    director.setTimeouts({ udpMs: 8_000_000 });
    const quiet = Array.from({ length: 60 }, (_, i) => udp(`192.0.2.1:${1_000 + i}`));
    for (const flow of quiet) from(director, flow, 0, 0);
    const talkative = udp("192.0.2.2:1");
    for (let i = 0; i < 9; i++) from(director, talkative, 0, 0);
    director.advance(0);
    director.sysctl.drop_entry = 3;
    letSecondsPass(director, 0, 59);
    assert.equal(counts(director.destinationView(handle))[1], 61);
    letSecondsPass(director, 59_000, 600);
    assert.equal(director.connectionCount, 1, "more than eight packets");
    assert.equal(from(director, talkative, 0, 659_000).isNew, false);
  },

  "drop_entry: a template that was never assured goes with its last connection": (make) => {
    const director = make();
    withOne(director, { persistence: { timeoutMs: 3_600_000, prefixLength: 32 } });
    for (let i = 1; i <= 20; i++) from(director, tcp(`192.0.2.${i}:1`), SYN, 0);
    const assured = tcp("192.0.3.1:1");
    open(director, assured, 0);
    back(director, assured, ACK, 0);
    director.advance(0);
    director.sysctl.drop_entry = 3;
    let nowMs = letSecondsPass(director, 0, 59);
    assert.ok(director.connectionCount < 21 && director.templateCount === director.connectionCount);
    nowMs = letSecondsPass(director, nowMs, 900);
    assert.deepEqual(
      [...director.connections()].filter((it) => it.isTemplate).map((it) => it.state),
      ["ASSURED"],
    );
    director.advance(nowMs + 8_000_000);
    assert.deepEqual([director.connectionCount, director.templateCount], [0, 0]);
  },

  "drop_entry: half-open ones go by their state, quiet established ones later, all others stay": (make) => {
    const dropped = new Map<string, number>();
    const director = make({
      connectionEntries: 1_024,
      onExpire: (_entry, { cause, flow }) => {
        const group = GROUPS[((flow.client[0] ?? 0) >>> 8 & 255) - 1]?.[0] ?? "";
        if (cause === "dropped") dropped.set(group, (dropped.get(group) ?? 0) + 1);
      },
    });
    director.addDestination(director.addService(tcpService(), 0), destination("10.2.0.1:80"), 0);
    const sctp = { ...tcpService(), key: { ...tcpService("10.99.0.1:81").key, protocol: PROTOCOL.sctp } };
    director.addDestination(director.addService(sctp, 0), destination("10.2.0.1:80"), 0);
    director.setTimeouts({ tcpMs: 8_000_000, tcpFinMs: 8_000_000 });
    for (const [i, [, protocol, ...packets]] of GROUPS.entries()) {
      for (let host = 1; host <= EACH; host++) {
        const flow = tcp(`192.0.${i + 1}.${host}:1`, protocol === "sctp" ? "10.99.0.1:81" : undefined);
        flow.protocol = PROTOCOL[protocol];
        director.sysctl.secure_tcp = protocol === "tcp" && packets[1] === "secure" ? 3 : 0;
        for (const packet of packets) {
          if (packet === "secure") continue;
          const [way, flags] = packet;
          (way === "i" ? from : back)(director, flow, flags, 0);
        }
      }
    }
    director.advance(0);
    director.sysctl.drop_entry = 3;
    let nowMs = letSecondsPass(director, 0, 59);
    const most = (group: string) => (dropped.get(group) ?? 0) > EACH / 2;
    assert.deepEqual(GROUPS.map(([group]) => [group, dropped.has(group)]).filter(([, it]) => it), [
      ["SYN_RECV", true],
      ["SYNACK", true],
      ["INIT1", true],
      ["INIT", true],
    ]);
    assert.ok(most("SYN_RECV") && most("SYNACK") && most("INIT"), JSON.stringify([...dropped]));
    nowMs = letSecondsPass(director, nowMs, 600);
    assert.ok(most("ESTABLISHED") && most("association"), JSON.stringify([...dropped]));
    for (const stays of ["FIN_WAIT", "C-SENT"]) assert.equal(dropped.get(stays), undefined, stays);
    director.advance(nowMs + 20_000_000);
    assert.equal(director.connectionCount, 0);
  },

  "drop_entry: a template with a connection on it stays, one of a one-packet service until it is quiet": (
    make,
  ) => {
    const director = make();
    const persistence = { timeoutMs: 3_600_000, prefixLength: 32 };
    for (const [port, onePacket] of [[53, false], [54, true]] as const) {
      const service = director.addService(udpService(`10.99.0.1:${port}`, { persistence, onePacket }), 0);
      director.addDestination(service, destination(`10.2.0.1:${port}`), 0);
    }
    const send = (port: number, nowMs: number) => {
      for (let host = 1; host <= 20; host++) {
        from(director, udp(`192.0.2.${host}:1`, `10.99.0.1:${port}`), 0, nowMs);
      }
    };
    const templates = (port: number) =>
      [...director.connections()].filter((it) => it.isTemplate && it.virtual.port === port).length;
    send(53, 0);
    send(54, 0);
    director.advance(0);
    director.sysctl.drop_entry = 3;
    let nowMs = letSecondsPass(director, 0, 59);
    assert.deepEqual([templates(53), templates(54)], [20, 20]);
    for (let minute = 0; minute < 10; minute++) {
      send(53, nowMs);
      nowMs = letSecondsPass(director, nowMs, 59);
    }
    assert.equal(templates(53), 20);
    assert.ok(templates(54) < 5, `${templates(54)} are left`);
  },
};
