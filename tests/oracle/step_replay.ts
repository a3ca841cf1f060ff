/**
 * Replays the steps of a capture as far as the director decides them: where a client's packets go, and what `ipvsadm -L` and
 * `-Lcn` list. How a connection ended is not among the steps; the next listing tells it.
 *
 * @module
 */
import { z } from "zod";
import { ACTION } from "../../director/verdict.ts";
import { DIRECTION, type Flow, TCP_FLAG } from "../../net/flow.ts";
import { World } from "./world.ts";

const capture = z.object({
  case: z.string(),
  steps: z.array(z.object({
    t: z.number(),
    step: z.string(),
    rc: z.number().optional(),
    out: z.string().optional(),
    client_sees: z.string().optional(),
  })),
});
type Step = z.infer<typeof capture>["steps"][number];

/** How a connection ended, and when. */
interface End {
  readonly t: number;
  readonly port: number;
  readonly state: string;
}

const CLIENT = "10.1.0.10";
const { syn, ack, psh, fin, rst } = TCP_FLAG;
const { input, output } = DIRECTION;
/** Time left that may differ: a listing prints whole seconds, and a command takes a part of one. */
const TOLERANCE_S = 1;
/** Seconds of the states in which a listing finds ended connections. */
const ENDED: Readonly<Record<string, number>> = { TIME_WAIT: 120, CLOSE: 10 };

/** How much was compared; throws at the first difference. */
export async function replaySteps(text: string): Promise<{ packets: number; listings: number }> {
  const { steps } = capture.parse(JSON.parse(text));
  const replay = new StepReplay(steps[0]?.t ?? 0);
  const events: { t: number; run: () => void | Promise<void> }[] = [
    ...steps.map((step) => ({ t: step.t, run: () => replay.step(step) })),
    ...endsOf(steps).map((end) => ({ t: end.t, run: () => replay.end(end) })),
  ];
  for (const { run } of events.sort((a, b) => a.t - b.t)) await run();
  return replay;
}

class StepReplay {
  packets = 0;
  listings = 0;
  readonly #world = new World({});
  readonly #startS: number;
  readonly #flows = new Map<number, Flow>();
  /** Client ports whose TCP waits to send again: when it does is its own affair. */
  readonly #stalled = new Set<number>();
  #lastUdpPort = 0;

  constructor(startS: number) {
    this.#startS = startS;
  }

  async step({ t, step, rc, out, client_sees: seen }: Step): Promise<void> {
    this.#world.advanceTo(t - this.#startS);
    const [, port = "", vip = "", vport = ""] = /sport=(\d+) -> ([\d.]+):(\d+)/.exec(step) ?? [];
    if (step.startsWith("ipvsadm ")) return await this.#tool(step, rc ?? 0, out ?? "");
    if (step.startsWith("sysctl ")) return void this.#world.prepare(step);
    if (step.startsWith("connect ")) return this.#connect(Number(port), vip, Number(vport), seen ?? "");
    if (step.startsWith("udp sport")) {
      this.#lastUdpPort = Number(port);
      const ends = { ev: "udp", cip: CLIENT, cport: Number(port), vip, vport: Number(vport) } as const;
      this.#flows.set(Number(port), this.#world.flow(ends));
    }
    const known = /(?:on connection|udp again from) (\d+)/.exec(step)?.[1] ?? `${this.#lastUdpPort}`;
    if (/^(send PING|udp |again$)/.test(step)) this.#send(Number(known), step, seen ?? "");
  }

  /** The client is done, or gives up. */
  end({ t, port, state }: End): void {
    this.#world.advanceTo(t - this.#startS);
    const flow = this.#flows.get(port);
    if (flow === undefined) return;
    if (state === "CLOSE") this.#world.send(flow, input, rst | ack);
    else {
      this.#world.send(flow, input, fin | ack);
      this.#world.send(flow, output, fin | ack);
      this.#world.send(flow, input, ack);
    }
  }

  #connect(port: number, vip: string, vport: number, seen: string): void {
    const flow = this.#world.flow({ ev: "open", cip: CLIENT, cport: port, vip, vport });
    const { action } = this.#world.send(flow, input, syn);
    this.#expect(`connect from ${port}`, seen === "connected", action === ACTION.forward);
    if (action !== ACTION.forward) return;
    this.#flows.set(port, flow);
    this.#world.send(flow, output, syn | ack);
    this.#world.send(flow, input, ack);
  }

  #send(port: number, step: string, seen: string): void {
    const flow = this.#flows.get(port);
    if (flow === undefined || seen.startsWith("BrokenPipe")) return;
    const isTcp = port < 41_000;
    const { action, destination } = this.#world.send(flow, input, isTcp ? psh | ack : 0);
    const server = /rs(\d)[-:]/.exec(seen)?.[1];
    const isForwarded = action === ACTION.forward;
    if (seen.startsWith("Timeout")) {
      this.#stalled.add(port);
      if (!isForwarded) this.#expect(step, ACTION.drop, action);
      return;
    }
    // What it reads may be the answer to what it sent long before.
    if (this.#stalled.has(port)) return;
    if (server === undefined) return this.#expect(step, ACTION.accept, action);
    this.#expect(
      step,
      `172.16.0.1${server}`,
      isForwarded ? this.#world.hostOf(destination) : `action ${action}`,
    );
    if (/'172\.16/.test(seen)) return;
    this.#world.send(flow, output, isTcp ? psh | ack : 0);
    if (isTcp) this.#world.send(flow, input, ack);
  }

  async #tool(step: string, rc: number, out: string): Promise<void> {
    const { code, stdout } = await this.#world.ipvsadm(step.split(/\s+/).filter((it) => it !== "").slice(1));
    this.#expect(step, rc, code);
    if (!step.includes("-L")) return;
    // Bytes and the packets of a greeting are not in the steps.
    if (step.includes("--stats")) return;
    this.listings++;
    if (!step.includes("-Lcn")) return this.#expect(step, out, stdout);
    const [recorded, own] = [rowsOf(out), rowsOf(stdout)];
    this.#expect(step, [...recorded.keys()].sort().join("\n"), [...own.keys()].sort().join("\n"));
    for (const [row, seconds] of recorded) {
      if (this.#stalled.has(clientPort(row))) continue;
      const difference = Math.abs(seconds - (own.get(row) ?? 0));
      this.#expect(`${step}: time of ${row}, ${difference} s`, true, difference <= TOLERANCE_S);
    }
  }

  #expect(what: string, kernel: unknown, own: unknown): void {
    this.packets += what.includes("ipvsadm") ? 0 : 1;
    if (kernel === own) return;
    throw new Error(`${what}\nkernel: ${kernel}\nown:    ${own}`);
  }
}

/** Rows of `-Lcn` without their time, and the seconds left. */
function rowsOf(listing: string): Map<string, number> {
  const rows = listing.split("\n").filter((it) => /^(TCP|UDP|IP) /.test(it)).map((it) => it.split(/\s+/));
  return new Map(rows.map(([protocol = "", time = "", ...rest]) => {
    const [minutes = 0, seconds = 0] = time.split(":").map(Number);
    return [[protocol, ...rest].join(" ").trim(), minutes * 60 + seconds];
  }));
}

function clientPort(row: string): number {
  return Number(/^\w+ \S+ [\d.]+:(\d+)/.exec(row)?.[1] ?? 0);
}

/** Ends of connections that the listings show, each once, when they must have been. */
function endsOf(steps: readonly Step[]): End[] {
  const ends = new Map<number, End>();
  for (const [i, { t, step, out }] of steps.entries()) {
    if (!step.includes("-Lcn")) continue;
    const before = steps[i - 1]?.t ?? 0;
    for (const [row, seconds] of rowsOf(out ?? "")) {
      const state = row.split(" ")[1] ?? "";
      const port = clientPort(row);
      const full = ENDED[state];
      if (full === undefined || port === 0 || ends.has(port)) continue;
      // A listing rounds down; and the one before did not show it.
      ends.set(port, { t: Math.max(t - (full - seconds - 0.5), before + 0.01), port, state });
    }
  }
  return [...ends.values()];
}
