/**
 * Replays packet sequences through a director and compares the TCP state after each packet with the kernel's.
 *
 * @module
 */
import { ACTION } from "../../director/verdict.ts";
import { DIRECTION, TCP_FLAG } from "../../net/flow.ts";
import type { Lined, StateSequence } from "./recording.ts";
import type { Outcome } from "./scheduler_replay.ts";
import { World, type WorldOptions } from "./world.ts";

const SERVICE = "10.99.0.1:80";
const SERVER = "10.2.0.1:80";
const CLIENT = { cip: "10.0.0.7", cport: 40_000, vip: "10.99.0.1", vport: 80, ev: "open" } as const;
/** Packets of a sequence follow each other at once; a switch of the director takes effect within a second. */
const GAP_S = 0.01;
const SETTLE_S = 2;

const FLAGS: Readonly<Record<string, number>> = {
  "0": 0,
  S: TCP_FLAG.syn,
  A: TCP_FLAG.ack,
  F: TCP_FLAG.fin,
  R: TCP_FLAG.rst,
};

/** Replays one sequence on a director with one service and one destination. */
export async function replayStates(
  path: string,
  sequence: Lined<StateSequence>,
  options: WorldOptions = {},
): Promise<Outcome> {
  const world = new World(options);
  await world.ipvsadm(["-A", "-t", SERVICE, "-s", "rr"]);
  await world.ipvsadm(["-a", "-t", SERVICE, "-r", SERVER, sequence.fwd]);
  const fail = (steps: number, what: string) => ({ steps, difference: `${path}:${sequence.line}: ${what}` });
  for (const [name, value] of Object.entries(sequence.sysctl)) {
    const difference = world.setSysctl(name, value);
    if (difference !== undefined) return fail(0, difference);
  }
  const flow = world.flow(CLIENT);
  for (const [index, packet] of sequence.seq.entries()) {
    world.advanceTo(SETTLE_S + index * GAP_S);
    const flags = [...packet.slice(2)].reduce((sum, letter) => sum | (FLAGS[letter] ?? 0), 0);
    const verdict = world.send(flow, packet.startsWith("i") ? DIRECTION.input : DIRECTION.output, flags);
    const kernel = sequence.states[index] ?? "-";
    const difference = compareState(kernel, world);
    if (difference === undefined && kernel === "-" && verdict.action !== ACTION.accept) {
      return fail(index, `packet ${index + 1} (${packet}): it has no entry and must be left to the host`);
    }
    if (difference !== undefined) return fail(index, `packet ${index + 1} (${packet}): ${difference}`);
  }
  return { steps: sequence.seq.length };
}

function compareState(kernel: string, world: World): string | undefined {
  const entry = world.entryOf(world.flow(CLIENT));
  const [row] = Object.values(world.counters())[0] ?? [];
  const [active, inactive] = [row?.[2] ?? 0, row?.[3] ?? 0];
  if (entry === undefined) {
    return kernel === "-" && active + inactive === 0 ? undefined : `kernel has ${kernel}, lvsd no entry`;
  }
  const leftS = entry.remainingMs / 1_000;
  const ours = `${entry.state}/${Math.round(leftS)}/${active > 0 ? "A" : "I"}`;
  const [state, seconds, counted] = kernel.split("/");
  const isEqual = state === entry.state && Math.abs(Number(seconds) - leftS) <= 1 &&
    active + inactive === 1 &&
    (counted === "?" || counted === (active > 0 ? "A" : "I"));
  return isEqual ? undefined : `kernel has ${kernel}, lvsd ${ours}`;
}
