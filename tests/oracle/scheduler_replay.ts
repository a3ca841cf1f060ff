/**
 * Replays a traffic script through a director on a clock of its own and compares every step with the kernel's.
 *
 * @module
 */
import { ValueError } from "../../errors.ts";
import { Conversation } from "./conversation.ts";
import { compareCounters, tooActive } from "./counters.ts";
import type {
  ConnectionEvent,
  Counters,
  FlowEvent,
  RecordedEnd,
  RecordedEvent,
  SchedulerRecording,
} from "./recording.ts";
import { Stall } from "./stall.ts";
import { World, type WorldOptions } from "./world.ts";

/** SYN repetitions, milliseconds after the first: TCP_TIMEOUT_INIT of 1 s, doubled each time. */
const SYN_REPEATS_MS = [1_000, 3_000, 7_000, 15_000, 31_000, 63_000];

/** What came of a replay. */
export interface Outcome {
  /** Events compared. */
  readonly steps: number;
  /** The first difference with the place in the file; undefined when all is equal. */
  readonly difference?: string;
}

/** Replays one recording. */
export async function replayScheduler(
  recording: SchedulerRecording,
  options: WorldOptions = {},
): Promise<Outcome> {
  const { path, events, end } = recording;
  const replay = new Replay(recording, new World(options));
  const setUp = await replay.setUp().catch(messageOf);
  if (setUp !== undefined) return { steps: 0, difference: `${path}:1: ${setUp}` };
  for (const [index, event] of events.entries()) {
    const untilS = events[index + 1]?.t ?? end.t;
    const difference = await replay.step(event, untilS).catch(messageOf);
    if (difference === undefined) continue;
    return {
      steps: index,
      difference: `${path}:${event.line}: event ${event.i} (${event.ev}): ${difference}`,
    };
  }
  const difference = replay.end(end);
  if (difference !== undefined) {
    return { steps: events.length, difference: `${path}:${end.line}: end: ${difference}` };
  }
  return { steps: events.length };
}

/** What the replay cannot do is a difference at this line: an address that is none, a command that no recording has. */
function messageOf(error: unknown): string {
  if (error instanceof ValueError) return error.message;
  throw error;
}

class Replay {
  readonly #recording: SchedulerRecording;
  readonly #world: World;
  readonly #conversations = new Map<number, Conversation>();
  #stalls: Stall[] = [];

  constructor(recording: SchedulerRecording, world: World) {
    this.#recording = recording;
    this.#world = world;
  }

  async setUp(): Promise<string | undefined> {
    const { setup, kernel_order } = this.#recording.scenario;
    for (const step of setup) {
      const difference = "cmd" in step
        ? this.#world.prepare(step.cmd)
        : await this.#ipvsadm(step.ipvsadm, step.rc);
      if (difference !== undefined) return difference;
    }
    const order = Object.fromEntries(
      Object.entries(this.#world.counters()).map((
        [service, rows],
      ) => [service, rows.map(([server]) => server)]),
    );
    return Object.entries(kernel_order).map(([service, servers]) =>
      order[service]?.join() === servers.join()
        ? undefined
        : `${service}: kernel lists ${servers.join(", ")}, lvsd ${order[service]?.join(", ")}`
    ).find((it) => it !== undefined);
  }

  async step(event: RecordedEvent, untilS: number): Promise<string | undefined> {
    this.#world.advanceTo(event.t);
    return this.#compare(event.before, event.t) ?? await this.#perform(event, untilS);
  }

  end(end: RecordedEnd): string | undefined {
    this.#world.advanceTo(end.t);
    const difference = this.#compare(end.counters, end.t);
    if (difference !== undefined || end.conns === undefined) return difference;
    const [kernel, ours] = [new Set(end.conns), new Set(this.#world.connections())];
    const missing = [...kernel.difference(ours)];
    const surplus = [...ours.difference(kernel)];
    if (missing.length + surplus.length === 0) return undefined;
    return `connections only in the kernel: ${missing.join("; ")}, only in lvsd: ${surplus.join("; ")}`;
  }

  async #ipvsadm(words: readonly string[], expected: number, untilS = 0): Promise<string | undefined> {
    const { code, stderr } = await this.#world.ipvsadm(words, untilS);
    if (code === expected) return undefined;
    return `ipvsadm ${words.join(" ")}: kernel answers ${expected}, lvsd ${code}: ${
      stderr.trim() || "no message"
    }`;
  }

  async #perform(event: RecordedEvent, untilS: number): Promise<string | undefined> {
    switch (event.ev) {
      case "open":
      case "udp":
      case "syn":
        return this.#open(event, untilS);
      case "admin":
        // Read back some time before the next event.
        return await this.#ipvsadm(event.args, event.rc, untilS) ?? this.#compare(event.after, untilS);
      case "sysctl":
        return this.#world.setSysctl(event.name, event.value);
      case "wait":
        return undefined;
      default:
        return this.#exchange(event, untilS);
    }
  }

  #open(event: FlowEvent, untilS: number): string | undefined {
    const conversation = new Conversation(this.#world.flow(event), this.#world.send);
    this.#conversations.set(event.id, conversation);
    const result = event.ev === "syn" ? conversation.halfOpen() : conversation.open();
    if (event.ev === "syn" && result === "ok") {
      for (const afterMs of SYN_REPEATS_MS) this.#world.after(afterMs, () => conversation.halfOpen());
    }
    return this.#compareOutcome(event, conversation, result, untilS);
  }

  #exchange(event: ConnectionEvent, untilS: number): string | undefined {
    const conversation = this.#conversations.get(event.id);
    if (conversation === undefined) return `no conversation has the id ${event.id}`;
    const stall = this.#stalls.find((it) => it.conversation === conversation);
    // Whether a doubtful repetition was answered shows when the socket is closed: with an unread answer it is reset.
    if (stall?.isDoubtful && event.ev === "close" && event.state === "CLOSE") conversation.repeat();
    const wasStalled = conversation.isStalled;
    let result = conversation.exchange(event.ev);
    if (!wasStalled && conversation.isStalled) this.#stalls.push(new Stall(conversation, this.#world));
    const isFreed = event.ev === "data"
      ? event.result === "ok"
      : event.state !== this.#world.entryOf(conversation.flow)?.state;
    // Only a repetition can free a stalled connection, and only when one may come within the event.
    if (wasStalled && isFreed && stall?.isPossibleBy(this.#world.timeOf(untilS)) && conversation.repeat()) {
      if (event.ev === "data") {
        conversation.read();
        result = "ok";
      }
    }
    return this.#compareOutcome(event, conversation, result, untilS);
  }

  #compareOutcome(
    event: FlowEvent | ConnectionEvent,
    conversation: Conversation,
    result: string,
    untilS: number,
  ): string | undefined {
    if (result !== event.result) return `client sees ${event.result}, with lvsd ${result}`;
    if (event.dest !== undefined) {
      const { dest, server } = this.#world.chosen(conversation);
      if (dest !== event.dest) return `kernel chose ${event.dest}, lvsd ${dest}`;
      if (server !== event.server) return `kernel sent to ${event.server}, lvsd to ${server}`;
    }
    if (event.result === "no-such-conn") return undefined;
    const entry = this.#world.entryOf(conversation.flow);
    if ((event.state ?? undefined) !== entry?.state) {
      return `kernel's entry is in ${event.state ?? "no state"}, lvsd's in ${entry?.state ?? "no state"}`;
    }
    if (event.expires === undefined || entry === undefined) return undefined;
    // Read at an unknown time before the next event, in whole seconds.
    const longest = entry.remainingMs / 1_000;
    const shortest = longest - (untilS - event.t) - 1;
    return event.expires >= shortest && event.expires <= longest
      ? undefined
      : `kernel's entry has ${event.expires} s left, lvsd's ${longest.toFixed(3)} s`;
  }

  /** Compares counters; a repetition that may have been on the wire by then is tried when they differ. */
  #compare(expected: Counters, atS: number): string | undefined {
    const atMs = this.#world.timeOf(atS);
    for (;;) {
      const actual = this.#world.counters();
      const difference = compareCounters(expected, actual);
      if (difference === undefined) break;
      const wanted = tooActive(expected, actual);
      const stall = this.#stalls.find((it) =>
        (it.isPossibleBy(atMs) || it.isDoubtful) && wanted.has(this.#world.rowOf(it.conversation))
      );
      if (stall === undefined || !stall.conversation.repeat()) return difference;
    }
    for (const stall of this.#stalls) stall.passOver();
    this.#stalls = this.#stalls.filter((it) => it.conversation.isStalled);
    return undefined;
  }
}
