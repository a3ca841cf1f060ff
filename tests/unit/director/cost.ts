/**
 * What a segment costs, beside an empty call of the same shape in the same run:
 * `deno run -A tests/unit/director/cost.ts`. Prints medians of nine rounds.
 *
 * Measured on one of two shared EPYC cores, Deno 2.9.6, ns per call (empty call | ArrayBuffer | SharedArrayBuffer):
 * a known connection again and again 4 | 96 | 96; 2,000 connections in turn 12 | 95 | 90; 50,000 in turn, which is
 * more than the cache holds, 5 | 209 | 213; a new connection (search, lock, pick, entry, SYN) 10 | 543 | 698; an
 * answer without its entry's handle 12 | 329 | 346.
 */
import { Director } from "../../../director/director.ts";
import { Store } from "../../../director/store.ts";
import { type TrafficEntrance, Verdict } from "../../../director/verdict.ts";
import { DIRECTION, type Flow, NO_ENTRY } from "../../../net/flow.ts";
import { SeededRandom } from "../../../net/random.ts";
import { ACK, at, destination, FIN, plainRoundRobin, RST, SYN, tcp, tcpService } from "./testbed.ts";

const ROUNDS = 9;
const FLOWS = 50_000;
const SEGMENTS = 4;

/** Does nothing: what remains is the loop and the call. */
class Empty implements Pick<TrafficEntrance, "segment"> {
  readonly #verdict = new Verdict();
  segment(flow: Flow, _direction: number, _flags: number, bytes: number, _nowMs: number): Verdict {
    this.#verdict.entry = flow.entry;
    this.#verdict.destinationPort = bytes;
    return this.#verdict;
  }
}

function makeDirector(shared: boolean): Director {
  const director = new Director({
    store: Store.create({ shared }),
    random: new SeededRandom(1),
    findScheduler: () => plainRoundRobin,
  });
  const service = director.addService(tcpService(), 0);
  for (let i = 1; i <= 10; i++) director.addDestination(service, destination(`10.2.0.${i}:80`), 0);
  return director;
}

function nanoseconds(calls: number, run: () => void): number {
  const startMs = performance.now();
  run();
  return (performance.now() - startMs) * 1e6 / calls;
}

function measure(entrance: Pick<TrafficEntrance, "segment">, flows: readonly Flow[], startMs: number) {
  let nowMs = startMs;
  for (const flow of flows) flow.entry = NO_ENTRY;
  const open = nanoseconds(FLOWS, () => {
    for (const flow of flows) entrance.segment(flow, DIRECTION.input, SYN, 60, nowMs += 0.001);
  });
  for (const flow of flows) entrance.segment(flow, DIRECTION.input, ACK, 60, nowMs += 0.001);
  const known = nanoseconds(FLOWS * SEGMENTS, () => {
    for (let i = 0; i < SEGMENTS; i++) {
      for (const flow of flows) entrance.segment(flow, DIRECTION.input, ACK, 1_500, nowMs += 0.001);
    }
  });
  const [one] = flows;
  const warm = one === undefined ? 0 : nanoseconds(FLOWS * SEGMENTS, () => {
    for (let i = 0; i < FLOWS * SEGMENTS; i++) {
      entrance.segment(one, DIRECTION.input, ACK, 1_500, nowMs += 0.001);
    }
  });
  const searched = nanoseconds(FLOWS, () => {
    for (const flow of flows) {
      flow.entry = NO_ENTRY;
      entrance.segment(flow, DIRECTION.output, ACK, 1_500, nowMs += 0.001);
    }
  });
  for (const flow of flows) entrance.segment(flow, DIRECTION.input, RST | FIN, 60, nowMs += 0.001);
  return { open, known, warm, searched, endMs: nowMs + 20_000 };
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function median(values: number[]): string {
  return (values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0).toFixed(0).padStart(6);
}

const flows = Array.from({ length: FLOWS }, (_, i) => {
  const flow = tcp(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:${1_024 + (i % 60_000)}`);
  flow.virtual.set(at("10.99.0.1:80").address.words);
  return flow;
});
const sides = {
  "empty call": new Empty(),
  ArrayBuffer: makeDirector(false),
  SharedArrayBuffer: makeDirector(true),
};
print(`ns per call      open  known   warm searched   (${FLOWS} connections, median of ${ROUNDS})`);
for (const [name, entrance] of Object.entries(sides)) {
  const rounds: ReturnType<typeof measure>[] = [];
  let nowMs = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const result = measure(entrance, flows, nowMs);
    nowMs = result.endMs;
    if (entrance instanceof Director) entrance.advance(nowMs);
    rounds.push(result);
  }
  const row = (["open", "known", "warm", "searched"] as const).map((key) =>
    median(rounds.map((it) => it[key]))
  );
  print(`${name.padEnd(17)} ${row.join(" ")}`);
}
