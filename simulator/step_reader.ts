/**
 * Reads one step of a script: what may follow each verb.
 *
 * @module
 */
import { SCHEDULER_FLAGS } from "../config/scheduler_flags.ts";
import {
  type DestinationSpec,
  METHOD_NAMES,
  type PersistenceSpec,
  type ServiceKey,
} from "../director/specs.ts";
import { IpAddress } from "../net/address.ts";
import { DIRECTION, PROTOCOL, TCP_FLAG } from "../net/flow.ts";
import { SCHEDULER_FLAG } from "../schedulers/scheduler.ts";
import { durationOf, endpointOf, explained, type LineWords, numberOf } from "./line_words.ts";
import type { FlowDescription, FlowReference, ServiceReference, ServiceSettings, Step } from "./script.ts";
import { LineMistake } from "./tokens.ts";

type Verb = Step["verb"];
type Options = Map<string, { value: string; column: number }>;

/** Bytes of `data` and `segment` where none are written. */
const BYTES = 0;
/** A socket engine's word for a service whose listener took it. */
const FLOW_OPTIONS = ["on", "mark", "as"];
const PROTOCOL_NAMES = ["tcp", "udp", "sctp"] as const;
const FLAG_LETTERS: Readonly<Record<string, number>> = {
  S: TCP_FLAG.syn,
  A: TCP_FLAG.ack,
  F: TCP_FLAG.fin,
  R: TCP_FLAG.rst,
  P: TCP_FLAG.psh,
};
const FLAG_NAMES: Readonly<Record<string, number>> = {
  ...Object.fromEntries(Object.entries(SCHEDULER_FLAGS).map(([name, { bit }]) => [name, bit])),
  "flag-1": SCHEDULER_FLAG.flag1,
  "flag-2": SCHEDULER_FLAG.flag2,
  "flag-3": SCHEDULER_FLAG.flag3,
};

const VERBS: { readonly [verb in Verb]: (words: LineWords) => Step } = {
  wait: (words) => ({ verb: "wait", ms: words.durationMs("duration") }),
  service: (words) => ({ verb: "service", key: readKey(words), settings: readSettings(words) }),
  change: (words) => ({ verb: "change", service: readService(words), settings: readSettings(words) }),
  remove: (words) => ({ verb: "remove", service: readService(words) }),
  add: (words) => ({ verb: "add", service: readService(words), destination: readDestination(words) }),
  edit: (words) => ({ verb: "edit", service: readService(words), destination: readDestination(words) }),
  weight: (words) => ({
    verb: "weight",
    service: readService(words),
    destination: words.endpoint("destination"),
    weight: words.number("weight"),
  }),
  delete: (words) => ({
    verb: "delete",
    service: readService(words),
    destination: words.endpoint("destination"),
  }),
  order: (words) => {
    const service = readService(words);
    const destinations = [];
    while (!words.isDone) destinations.push(words.endpoint("destination"));
    return { verb: "order", service, destinations };
  },
  timeouts: (words) => {
    const options = words.options(["tcp", "tcpfin", "udp"]);
    const ms = (name: string) => {
      const option = options.get(name);
      return option === undefined ? undefined : durationOf(option.value, option.column);
    };
    const [tcpMs, tcpFinMs, udpMs] = [ms("tcp"), ms("tcpfin"), ms("udp")];
    return {
      verb: "timeouts",
      timeouts: {
        ...(tcpMs === undefined ? {} : { tcpMs }),
        ...(tcpFinMs === undefined ? {} : { tcpFinMs }),
        ...(udpMs === undefined ? {} : { udpMs }),
      },
    };
  },
  sysctl: (words) => ({ verb: "sysctl", name: words.take("name of a switch"), value: words.number("value") }),
  open: (words) => {
    const { flow, label } = readFlow(words);
    return { verb: "open", flow, ...(label === undefined ? {} : { label }) };
  },
  close: (words) => ({ verb: "close", flow: readReference(words) }),
  reset: (words) => {
    const flow = readReference(words);
    return { verb: "reset", flow, by: words.skip("by-server") ? DIRECTION.output : DIRECTION.input };
  },
  data: (words) => ({ verb: "data", flow: readReference(words), bytes: readBytes(words) }),
  segment: (words) => {
    const flow = readReference(words);
    const direction = DIRECTION[words.choice("direction", ["input", "output"])];
    const flags = readFlags(words);
    const bytes = readBytes(words);
    return { verb: "segment", flow, direction, flags, bytes, packets: words.skip("streamed") ? 0 : 1 };
  },
  retry: (words) => {
    const flow = readReference(words);
    const failed = [];
    if (!words.skip("without")) throw words.mistake("write without and the destinations that failed");
    while (!words.isDone && words.peek() !== "=>") failed.push(words.endpoint("destination"));
    return { verb: "retry", flow, failed };
  },
  forget: (words) => ({ verb: "forget", flow: readReference(words) }),
  advance: () => ({ verb: "advance" }),
};

/** Every verb there is. */
export const VERB_NAMES = Object.keys(VERBS) as Verb[];

/** Reads a verb and what belongs to it; `=>` and what follows is left. */
export function readStep(words: LineWords): Step {
  return VERBS[words.choice("step", VERB_NAMES)](words);
}

function readKey(words: LineWords): ServiceKey {
  const column = words.column;
  const word = words.take("service");
  const key = keyOf(word, column);
  if (key !== undefined) return key;
  throw new LineMistake(column, `"${word}" is no new service; write tcp:10.0.0.1:80, udp:[::1]:53 or mark:7`);
}

function keyOf(word: string, column: number): ServiceKey | undefined {
  const mark = /^mark(6?):(\d+)$/.exec(word);
  if (mark !== null) {
    return { mark: numberOf(mark[2] ?? "", "mark", column, 2 ** 32 - 1), family: mark[1] === "6" ? 6 : 4 };
  }
  const [, protocol, place] = /^(tcp|udp|sctp):(.*)$/.exec(word) ?? [];
  if (protocol === undefined || place === undefined) return undefined;
  return { protocol: PROTOCOL[protocol as typeof PROTOCOL_NAMES[number]], ...endpointOf(place, column) };
}

function readService(words: LineWords): ServiceReference {
  const column = words.column;
  return referenceOf(words.take("service"), column);
}

function referenceOf(word: string, column: number): ServiceReference {
  const key = keyOf(word, column);
  return key === undefined ? { name: word } : { key };
}

function readSettings(words: LineWords): ServiceSettings {
  const scheduler = words.take("scheduler");
  const options = words.options(["flags", "persistent", "engine", "one-packet"]);
  const persistent = options.get("persistent");
  const engine = options.get("engine");
  return {
    scheduler,
    flags: flagsOf(options.get("flags")),
    onePacket: options.has("one-packet"),
    ...(persistent === undefined ? {} : { persistence: persistenceOf(persistent.value, persistent.column) }),
    ...(engine === undefined ? {} : { persistenceEngine: engine.value }),
  };
}

function flagsOf(option: { value: string; column: number } | undefined): number {
  if (option === undefined) return 0;
  return option.value.split(",").reduce((bits, name) => {
    const bit = FLAG_NAMES[name];
    if (bit !== undefined) return bits | bit;
    throw new LineMistake(
      option.column,
      `"${name}" is no flag; there are ${Object.keys(FLAG_NAMES).join(", ")}`,
    );
  }, 0);
}

function persistenceOf(text: string, column: number): PersistenceSpec {
  const [time = "", mask] = text.split("/");
  const timeoutMs = durationOf(time, column);
  if (mask === undefined) return { timeoutMs, prefixLength: 32 };
  if (/^\d+$/.test(mask)) return { timeoutMs, prefixLength: numberOf(mask, "prefix length", column, 128) };
  const address = explained(column, () => IpAddress.parse(mask));
  return { timeoutMs, netmask: address.words[0] ?? 0 };
}

function readDestination(words: LineWords): DestinationSpec {
  const column = words.column;
  const [place = "", weightText = "1"] = words.take("destination").split("@", 2);
  const endpoint = endpointOf(place, column);
  const weight = numberOf(weightText, "weight", column);
  const method = METHOD_NAMES.find((it) => words.skip(it)) ?? "nat";
  const options = words.options(["upper", "lower", "in-force"]);
  const number = (name: string): number | undefined => {
    const option = options.get(name);
    return option === undefined ? undefined : numberOf(option.value, name, option.column);
  };
  const effectiveWeight = number("in-force");
  return {
    ...endpoint,
    method,
    weight,
    upperThreshold: number("upper") ?? 0,
    lowerThreshold: number("lower") ?? 0,
    allowMixedFamilies: true,
    ...(effectiveWeight === undefined ? {} : { effectiveWeight }),
  };
}

/** Reads `tcp 10.0.0.7:40000 -> web` with its options. */
export function readFlow(words: LineWords): { flow: FlowDescription; label?: string } {
  const protocol = PROTOCOL_NAMES.find((it) => words.skip(it));
  const client = words.endpoint("client");
  if (!words.skip("->")) throw words.mistake("-> is missing between the client and where it goes");
  const column = words.column;
  const word = words.take("virtual address or service");
  const options: Options = new Map();
  while (FLOW_OPTIONS.includes((words.peek() ?? "").split("=")[0] ?? "")) {
    const at = words.column;
    const [name = "", value = ""] = words.take("option").split("=", 2);
    options.set(name, { value, column: at });
  }
  const through = options.get("on");
  const mark = options.get("mark");
  return {
    flow: {
      client,
      to: targetOf(word, column),
      ...(protocol === undefined ? {} : { protocol: PROTOCOL[protocol] }),
      ...(through === undefined ? {} : { through: referenceOf(through.value, through.column) }),
      ...(mark === undefined ? {} : { mark: numberOf(mark.value, "mark", mark.column, 2 ** 32 - 1) }),
    },
    ...(options.has("as") ? { label: options.get("as")?.value ?? "" } : {}),
  };
}

/** `10.0.0.1:80`, `[::1]:80` and `:80` are addresses, all else names a service. */
function targetOf(word: string, column: number): FlowDescription["to"] {
  const looksLikeAddress = /^(\[|:\d|\d+\.\d+\.\d+\.\d+:)/.test(word);
  return looksLikeAddress ? endpointOf(word, column) : referenceOf(word, column);
}

function readReference(words: LineWords): FlowReference {
  const word = words.peek() ?? "";
  const isFlow = PROTOCOL_NAMES.some((it) => it === word) || /^(\[|\d+\.\d+\.\d+\.\d+:)/.test(word);
  return isFlow ? readFlow(words).flow : { label: words.take("connection") };
}

function readBytes(words: LineWords): number {
  return /^\d+$/.test(words.peek() ?? "") ? words.number("number of bytes") : BYTES;
}

/** `SA`, `F`, or `0` for none. */
function readFlags(words: LineWords): number {
  const column = words.column;
  const word = words.take("TCP flags");
  if (word === "0") return 0;
  return [...word].reduce((bits, letter) => {
    const bit = FLAG_LETTERS[letter];
    if (bit !== undefined) return bits | bit;
    throw new LineMistake(column, `"${word}" are no TCP flags; write letters of SAFRP, or 0 for none`);
  }, 0);
}
