/** What each switch does, on and off: a table that must name every switch that is said to act, and no other. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import type { DirectorOptions } from "../../../director/parts.ts";
import { Store } from "../../../director/store.ts";
import { SWITCHES } from "../../../director/switches.ts";
import type { Sysctl, SysctlName } from "../../../director/sysctl.ts";
import { findScheduler } from "../../../schedulers/registry.ts";
import {
  ACK,
  back,
  close,
  destination,
  from,
  makeDirector,
  open,
  RST,
  SYN,
  target,
  tcp,
  tcpService,
  udp,
} from "./testbed.ts";

/** What a short story shows with the switch at its default, and at another value. */
interface Effect {
  readonly value: number;
  readonly tell: (director: Director) => unknown;
  readonly shows: readonly [byDefault: unknown, then: unknown];
  readonly around?: Partial<Sysctl>;
  readonly options?: Partial<DirectorOptions>;
}

function two(director: Director, more: Parameters<typeof tcpService>[1] = {}): number[] {
  const service = director.addService(tcpService("10.99.0.1:80", more), 0);
  return [1, 2].map((last) => director.addDestination(service, destination(`10.2.0.${last}:80`), 0));
}

const PERSISTENT = { persistence: { timeoutMs: 60_000, prefixLength: 32 } };
const go = (director: Director, port: number, nowMs = 0) =>
  target(director, from(director, tcp(`192.0.2.1:${port}`), SYN, nowMs));

/** Which of ten SYNs are dropped. */
function drops(director: Director): string {
  two(director);
  return Array.from({ length: 10 }, (_, i) => go(director, 1_000 + i) === "drop" ? "x" : ".").join("");
}

/** Where two connections to one address go, the second while the first one lives. */
function sameAddress(director: Director, scheduler: string): string {
  const service = director.addService({ key: { mark: 5, family: 4 }, scheduler }, 0);
  for (const last of [1, 2]) director.addDestination(service, destination(`10.2.0.${last}:0`), 0);
  const ask = (port: number, nowMs: number) => {
    const flow = tcp(`192.0.2.1:${port}`, "198.51.100.1:80");
    flow.mark = 5;
    return target(director, open(director, flow, nowMs));
  };
  // The kernel looks at all addresses each half hour.
  director.setTimeouts({ tcpMs: 7_200_000 });
  return [ask(1, 0), ask(2, 1_900_000)].join(" ");
}

const STAYS = "10.2.0.2:80 10.2.0.2:80";
const FORGETS = "10.2.0.2:80 10.2.0.1:80";

const EFFECTS: { readonly [name in SysctlName]?: Effect } = {
  amemthresh: {
    value: 1_000,
    tell: (director) => {
      director.sysctl.secure_tcp = 1;
      director.advance(1_000);
      return director.sysctl.secure_tcp;
    },
    options: { availableEntries: () => 1_010 },
    shows: [2, 1],
  },
  am_droprate: { value: 3, around: { drop_packet: 3 }, tell: drops, shows: ["x.........", "x..x..x..x"] },
  drop_packet: { value: 3, tell: drops, shows: ["..........", "x........."] },
  drop_entry: {
    value: 3,
    tell: (director) => {
      two(director);
      for (let i = 0; i < 200; i++) go(director, 1_000 + i);
      for (let second = 0; second < 50; second++) director.advance(second * 1_000);
      return director.connectionCount < 150;
    },
    shows: [false, true],
  },
  secure_tcp: {
    value: 3,
    tell: (director) => {
      two(director);
      from(director, tcp("192.0.2.1:1"), SYN, 0);
      from(director, tcp("192.0.2.1:1"), ACK, 0);
      return [...director.connections()][0]?.state;
    },
    shows: ["ESTABLISHED", "SYN_RECV"],
  },
  nat_icmp_send: {
    value: 1,
    tell: (director) => {
      two(director);
      return target(director, back(director, tcp("192.0.2.1:1", "10.2.0.1:80"), ACK, 0));
    },
    shows: ["accept", "reject"],
  },
  cache_bypass: {
    value: 1,
    options: { isBypassed: () => true },
    tell: (director) => {
      director.addService({ key: { mark: 5, family: 4 }, scheduler: "rr" }, 0);
      const flow = tcp("192.0.2.1:1", "198.51.100.1:80");
      flow.mark = 5;
      return target(director, from(director, flow, SYN, 0));
    },
    shows: ["reject", "bypass"],
  },
  expire_nodest_conn: {
    value: 1,
    tell: (director) => {
      const [, newest = 0] = two(director);
      open(director, tcp("192.0.2.1:1"), 0);
      director.deleteDestination(newest, 0);
      return target(director, from(director, tcp("192.0.2.1:1"), ACK, 0));
    },
    shows: ["drop", "accept"],
  },
  expire_quiescent_template: {
    value: 1,
    tell: (director) => {
      const [, newest = 0] = two(director, PERSISTENT);
      go(director, 1);
      director.setWeight(newest, 0, 0);
      return go(director, 2);
    },
    shows: ["10.2.0.2:80", "10.2.0.1:80"],
  },
  sloppy_tcp: {
    value: 1,
    tell: (director) => {
      two(director);
      return target(director, from(director, tcp("192.0.2.1:1"), ACK, 0));
    },
    shows: ["accept", "10.2.0.2:80"],
  },
  sloppy_sctp: {
    value: 1,
    tell: (director) => {
      const service = tcpService();
      const handle = director.addService({ ...service, key: { ...service.key, protocol: 132 } }, 0);
      director.addDestination(handle, destination("10.2.0.1:80"), 0);
      const flow = tcp("192.0.2.1:1");
      flow.protocol = 132;
      return target(director, from(director, flow, 0, 0));
    },
    shows: ["accept", "10.2.0.1:80"],
  },
  conn_reuse_mode: {
    value: 0,
    tell: (director) => {
      two(director);
      const flow = tcp("192.0.2.1:1");
      open(director, flow, 0);
      close(director, flow, 0);
      return go(director, 1);
    },
    shows: ["10.2.0.1:80", "10.2.0.2:80"],
  },
  schedule_icmp: {
    value: 1,
    tell: (director) => {
      two(director);
      return target(director, director.related(tcp("192.0.2.1:1"), 0, 576, 0));
    },
    shows: ["accept", "10.2.0.2:80"],
  },
  run_estimation: {
    value: 0,
    tell: (director) => {
      two(director);
      director.advance(0);
      go(director, 1);
      director.advance(2_000);
      return director.estimate.counters.connections;
    },
    shows: [1, 0],
  },
  lblc_expiration: { value: 1, tell: (director) => sameAddress(director, "lblc"), shows: [STAYS, FORGETS] },
  lblcr_expiration: { value: 1, tell: (director) => sameAddress(director, "lblcr"), shows: [STAYS, FORGETS] },
};

for (const [name, effect] of Object.entries(EFFECTS) as [SysctlName, Effect][]) {
  Deno.test(`switch ${name}: ${SWITCHES[name].default} shows ${effect.shows[0]}, ${effect.value} ${effect.shows[1]}`, () => {
    const shown = [SWITCHES[name].default, effect.value].map((value) => {
      const director = makeDirector({ findScheduler, store: Store.create(), ...effect.options });
      Object.assign(director.sysctl, effect.around, { [name]: value });
      return effect.tell(director);
    });
    assert.deepEqual(shown, effect.shows);
  });
}

/** Read by the packet engine itself; what they do there is shown by its captures and its own tests. */
const OF_THE_PACKET_ENGINE = ["ignore_tunneled", "pmtu_disc"];

Deno.test("switches: the ones said to act are those with a story here; the others change nothing", () => {
  const acting = Object.entries(SWITCHES).filter(([, { effect }]) => effect !== "none").map(([name]) => name);
  assert.deepEqual([...Object.keys(EFFECTS), ...OF_THE_PACKET_ENGINE].sort(), acting.sort());
  const idle = Object.entries(SWITCHES).filter(([, { effect }]) => effect === "none");
  const story = (change: boolean) => {
    const director = makeDirector({ findScheduler });
    for (const [name, { default: value, max }] of idle) {
      if (change) Object.assign(director.sysctl, { [name]: value === max ? 0 : max });
    }
    two(director, PERSISTENT);
    const log: unknown[] = [];
    for (let i = 0; i < 40; i++) {
      const flow = tcp(`192.0.2.${i % 4}:${1_000 + i}`);
      log.push(go(director, 1_000 + i, i));
      log.push(target(director, back(director, flow, i % 3 === 0 ? RST : SYN | ACK, i)));
      log.push(target(director, from(director, udp(`192.0.2.1:${i + 1}`), 0, i)));
    }
    director.advance(100_000);
    return [log, [...director.connections()], director.estimate, director.drops];
  };
  assert.deepEqual(story(false), story(true));
});

Deno.test("switches: no engine reads one that is said to do nothing", async () => {
  const root = new URL("../../../engines/", import.meta.url);
  const code: string[] = [];
  for (const room of ["portable", "native", "packet"]) {
    for (const { name } of Deno.readDirSync(new URL(`${room}/`, root))) {
      if (name.endsWith(".ts")) code.push(await Deno.readTextFile(new URL(`${room}/${name}`, root)));
    }
  }
  const read = Object.keys(SWITCHES).filter((name) => code.some((it) => it.includes(`sysctl.${name}`)));
  for (const name of OF_THE_PACKET_ENGINE) assert.ok(read.includes(name), `${name} is not read`);
  const lies = Object.entries(SWITCHES).filter(([name, { effect }]) =>
    effect === "none" && read.includes(name)
  );
  assert.deepEqual(lies.map(([name]) => name), []);
});
