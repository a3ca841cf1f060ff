/** Every recorded packet sequence of a real kernel director, replayed on a virtual clock. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Director } from "../../../director/director.ts";
import { DIRECTION } from "../../../net/flow.ts";
import { ACK, at, destination, FIN, makeDirector, MEMORIES, RST, SYN, tcp, tcpService } from "./testbed.ts";

interface Recording {
  readonly set: string;
  readonly fwd: "-m" | "-g";
  readonly sysctl: Readonly<Record<string, number>>;
  readonly seq: readonly string[];
  readonly states: readonly string[];
}

const FLAGS: Readonly<Record<string, number>> = { S: SYN, A: ACK, F: FIN, R: RST, 0: 0 };
const recordings: readonly Recording[] = readFileSync(
  new URL("../../fixtures/states/tcp_state_machine.jsonl", import.meta.url),
  "utf8",
).trim().split("\n").map((line) => JSON.parse(line));

/** `STATE/seconds/A|I`, or `-` without an entry, as the recordings write it. */
function entryText(director: Director, service: number): string {
  const [entry] = director.connections();
  if (entry === undefined) return "-";
  const active = director.destinationViews(service).reduce((sum, view) => sum + view.activeConns, 0);
  const inactive = director.destinationViews(service).reduce((sum, view) => sum + view.inactiveConns, 0);
  assert.equal(active + inactive, 1);
  return `${entry.state}/${Math.round(entry.expiresMs / 1_000)}/${active === 1 ? "A" : "I"}`;
}

function assertSame(found: string, recorded: string, where: string): void {
  if (recorded === "-" || found === "-") return assert.equal(found, recorded, where);
  const [state, seconds, side] = found.split("/");
  const [wantedState, wantedSeconds, wantedSide] = recorded.split("/");
  assert.equal(state, wantedState, where);
  assert.ok(Math.abs(Number(seconds) - Number(wantedSeconds)) <= 1, `${where}: ${found} is not ${recorded}`);
  // "?": another entry of the recording's lab expired meanwhile, so the side is unknown.
  if (wantedSide !== "?") assert.equal(side, wantedSide, where);
}

for (const { shared, on } of MEMORIES) {
  Deno.test(`states: all ${recordings.length} recorded sequences, on ${on}`, () => {
    let packets = 0;
    for (const { set, fwd, sysctl, seq, states } of recordings) {
      const director = makeDirector({ shared });
      Object.assign(director.sysctl, sysctl);
      const service = director.addService(tcpService(), 0);
      const method = fwd === "-m" ? "nat" : "dr";
      director.addDestination(service, destination("10.2.0.1:80", { method }), 0);
      const flow = tcp("192.0.2.1:40000");
      seq.forEach((step, i) => {
        const [way, letters] = step.split(":");
        const flags = [...letters ?? ""].reduce((sum, letter) => sum | (FLAGS[letter] ?? 0), 0);
        const direction = way === "i" ? DIRECTION.input : DIRECTION.output;
        director.segment(flow, direction, flags, 40, packets++);
        assertSame(entryText(director, service), states[i] ?? "", `${set} ${seq.slice(0, i + 1).join(" ")}`);
      });
    }
    assert.ok(packets > 4_000, `only ${packets} packets`);
  });
}

Deno.test("states: an answer that carries the real server's address finds its NAT entry", () => {
  const director = makeDirector();
  const service = director.addService(tcpService(), 0);
  director.addDestination(service, destination("10.2.0.1:8080"), 0);
  director.segment(tcp("192.0.2.1:40000"), DIRECTION.input, SYN, 40, 0);
  const answer = tcp("192.0.2.1:40000", "10.2.0.1:8080");
  const verdict = director.segment(answer, DIRECTION.output, SYN | ACK, 40, 0);
  assert.ok(verdict.entry > 0);
  assert.equal(verdict.service, director.findService({ protocol: 6, ...at("10.99.0.1:80") }));
});

Deno.test("states: DR uses the one-way table until an answer is seen after all", () => {
  for (const seesAnswer of [false, true]) {
    const director = makeDirector();
    const service = director.addService(tcpService(), 0);
    director.addDestination(service, destination("10.2.0.1:80", { method: "dr" }), 0);
    const flow = tcp("192.0.2.1:40000");
    director.segment(flow, DIRECTION.input, SYN, 40, 0);
    if (seesAnswer) director.segment(flow, DIRECTION.output, SYN | ACK, 40, 0);
    director.segment(flow, DIRECTION.input, ACK, 40, 0);
    director.segment(flow, DIRECTION.input, FIN | ACK, 40, 0);
    assert.equal(entryText(director, service), seesAnswer ? "CLOSE_WAIT/60/I" : "FIN_WAIT/120/I");
  }
});
