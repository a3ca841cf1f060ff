/**
 * The recordings of a real kernel director, read and checked. What a file is, its content says; names mean nothing.
 *
 * @module
 */
import { z } from "zod";
import { ValueError } from "../../errors.ts";
import { type ToolLine, toolLine } from "./tool_recording.ts";

/** Destination, weight, ActiveConn, InActConn. */
const row = z.tuple([z.string(), z.number().int(), z.number().int(), z.number().int()]);
/** Every service (`tcp:10.0.0.1:80`, `fwm:1`) with its destinations in the kernel's list order. */
const counters = z.record(z.string(), z.array(row));

const common = { type: z.literal("event"), i: z.number().int(), t: z.number(), before: counters };
const flow = {
  id: z.number().int(),
  cip: z.string(),
  cport: z.number().int(),
  vip: z.string(),
  vport: z.number().int(),
};
const outcome = {
  result: z.enum(["ok", "ECONNREFUSED", "timeout", "ECONNRESET", "EPIPE", "eof", "no-such-conn"]),
  /** The connection entry right after; null: none. */
  state: z.string().nullish(),
  expires: z.number().optional(),
  /** Who answered, and which destination that is. */
  server: z.string().optional(),
  dest: z.string().optional(),
};

const event = z.discriminatedUnion("ev", [
  z.object({ ev: z.literal(["open", "udp", "syn"]), ...common, ...flow, ...outcome }),
  z.object({
    ev: z.literal(["data", "close", "reset", "halfclose", "srvfin"]),
    ...common,
    id: flow.id,
    ...outcome,
  }),
  z.object({
    ev: z.literal("admin"),
    ...common,
    args: z.array(z.string()),
    rc: z.number().int(),
    after: counters,
  }),
  z.object({ ev: z.literal("sysctl"), ...common, name: z.string(), value: z.coerce.number().int() }),
  z.object({ ev: z.literal("wait"), ...common, s: z.number() }),
]);

const scenario = z.object({
  type: z.literal("scenario"),
  scheduler: z.string(),
  setup: z.array(z.union([
    z.object({ ipvsadm: z.array(z.string()), rc: z.number().int() }),
    z.object({ cmd: z.string() }),
  ])),
  kernel_order: z.record(z.string(), z.array(z.string())),
});

const end = z.object({
  type: z.literal("end"),
  t: z.number(),
  counters,
  /** Connection list, templates included, in no order that means anything. */
  conns: z.array(z.string()).optional(),
});

const sequence = z.object({
  set: z.string(),
  fwd: z.enum(["-m", "-g", "-i"]),
  sysctl: z.record(z.string(), z.number().int()),
  /** `i:SA`: from the client, SYN and ACK; `o:`: from the real server; `0`: no flag. */
  seq: z.array(z.string().regex(/^[io]:(0|[SAFR]+)$/)).min(1),
  /** `SYN_RECV/60/A` after each packet: state, seconds left, active or inactive; `-`: no entry. */
  states: z.array(z.string().regex(/^(-|[A-Z_]+\/\d+\/[AI?])$/)),
}).refine((it) => it.seq.length === it.states.length, "as many states as packets are needed");

export type Counters = z.infer<typeof counters>;
export type Scenario = z.infer<typeof scenario>;
export type RecordedEvent = z.infer<typeof event>;
export type FlowEvent = Extract<RecordedEvent, { ev: "open" | "udp" | "syn" }>;
export type ConnectionEvent = Extract<
  RecordedEvent,
  { ev: "data" | "close" | "reset" | "halfclose" | "srvfin" }
>;
export type RecordedEnd = z.infer<typeof end>;
export type StateSequence = z.infer<typeof sequence>;

/** A value with the line of the file it stands in. */
export type Lined<T> = T & { readonly line: number };

/** One traffic script with what the kernel did. */
export interface SchedulerRecording {
  readonly kind: "scheduler";
  readonly path: string;
  readonly scenario: Scenario;
  readonly events: readonly Lined<RecordedEvent>[];
  readonly end: Lined<RecordedEnd>;
}

/** Packet sequences with the TCP state after each packet. */
export interface StateRecording {
  readonly kind: "states";
  readonly path: string;
  readonly sequences: readonly Lined<StateSequence>[];
}

/** What the real ipvsadm answered, command by command. */
export interface ToolRecording {
  readonly kind: "tool";
  readonly path: string;
  readonly lines: readonly Lined<ToolLine>[];
}

/**
 * Reads one file.
 *
 * @throws {ValueError} `RECORDING_INVALID` with `path:line:` for what is no recording, or a broken one.
 */
export function parseRecording(
  path: string,
  text: string,
): SchedulerRecording | StateRecording | ToolRecording {
  const lines = text.split("\n").map((json, index) => ({ json, line: index + 1 })).filter((it) =>
    it.json.trim() !== ""
  );
  const values = lines.map(({ json, line }) => ({ value: parseJson(path, json, line), line }));
  const first = values[0]?.value;
  if (isRecord(first) && first["type"] === "scenario") return parseScheduler(path, values);
  if (isRecord(first) && "seq" in first && "states" in first) {
    const sequences = values.map(({ value, line }) => ({ ...check(path, line, sequence, value), line }));
    return { kind: "states", path, sequences };
  }
  if (values.some(({ value }) => isRecord(value) && "section" in value)) {
    const lines = values.map(({ value, line }) => ({ ...check(path, line, toolLine, value), line }));
    return { kind: "tool", path, lines };
  }
  throw invalid(
    path,
    lines[0]?.line ?? 1,
    "neither a scheduler's traffic script nor TCP state sequences nor ipvsadm's answers",
  );
}

function parseScheduler(
  path: string,
  values: readonly { value: unknown; line: number }[],
): SchedulerRecording {
  const [head, ...rest] = values;
  const last = rest.pop();
  if (head === undefined || last === undefined || rest.length === 0) {
    throw invalid(path, 1, "a scenario without events");
  }
  return {
    kind: "scheduler",
    path,
    scenario: check(path, head.line, scenario, head.value),
    events: rest.map(({ value, line }) => ({ ...check(path, line, event, value), line })),
    end: { ...check(path, last.line, end, last.value), line: last.line },
  };
}

function parseJson(path: string, json: string, line: number): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw invalid(path, line, `not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function check<T>(path: string, line: number, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(path, line, `${issue?.path.join(".") || "the line"}: ${issue?.message}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function invalid(path: string, line: number, message: string): ValueError {
  return new ValueError("RECORDING_INVALID", `${path}:${line}: ${message}`, { path, line });
}
