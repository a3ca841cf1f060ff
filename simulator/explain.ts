/**
 * Where a flow would go, and why. The question is put to a copy of the director, so nothing is changed by asking.
 *
 * @module
 */
import type { Director } from "../director/director.ts";
import type { ConnectionView } from "../director/views.ts";
import { ACTION, DROP_REASON, type DropReason } from "../director/verdict.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { DIRECTION, type Flow, PROTOCOL, TCP_FLAG } from "../net/flow.ts";
import type { Random } from "../net/random.ts";
import { serviceOf } from "./flows.ts";
import { REASONS } from "./reasons.ts";
import { refusalWord } from "./world.ts";

/** The answer, as plain JSON. */
export interface Explanation {
  /** `tcp 10.0.0.7:40000 -> 10.0.0.1:80` */
  readonly flow: string;
  /** Name of the virtual service; `null` when none takes the flow. */
  readonly service: string | null;
  readonly scheduler: string | null;
  /** Rules that the flow passed or met, in their order; empty where there are none. */
  readonly rules: readonly string[];
  /** A connection entry that the flow has already. */
  readonly entry: KnownConnection | null;
  /** The persistence template that binds the client. */
  readonly template: KnownConnection | null;
  /** Newest first, as the scheduler sees them. */
  readonly destinations: readonly ExplainedDestination[];
  /** Where it goes; `null` when it is refused. */
  readonly answer: string | null;
  /** Word of the refusal, `null` when it goes somewhere. */
  readonly refusal: string | null;
  /** The rule that decided, in words. */
  readonly why: string;
}

export interface KnownConnection {
  readonly destination: string;
  readonly state: string;
  readonly expiresSeconds: number;
}

export interface ExplainedDestination {
  readonly address: string;
  readonly weight: number;
  readonly activeConns: number;
  readonly inactiveConns: number;
  /** What the scheduler compares, worked out; `""` where it compares nothing. */
  readonly value: string;
  /** Why it cannot be chosen; `""` when it can. */
  readonly excluded: string;
  readonly chosen: boolean;
}

export interface Question {
  readonly director: Director;
  readonly flow: Flow;
  readonly nowMs: number;
  readonly random: Random;
  readonly serviceName: (handle: number) => string;
  /** What the rules in front of the director say; they may set the flow's mark. */
  readonly rules?: { readonly refusal: DropReason; readonly met: readonly string[] };
}

/** Answers the question. */
export function explain({ director, flow, nowMs, random, serviceName, ...asked }: Question): Explanation {
  const { refusal: ruleRefusal = DROP_REASON.none, met: rules = [] } = asked.rules ?? {};
  const text = flow.toString();
  const nothing = { flow: text, rules, entry: null, template: null, destinations: [], answer: null };
  const service = serviceOf(director, flow);
  if (ruleRefusal !== DROP_REASON.none) {
    const why = "the last rule above refuses it; the director is not asked";
    const name = service === undefined ? null : serviceName(service);
    return { ...nothing, service: name, scheduler: null, refusal: refusalWord(ruleRefusal), why };
  }
  if (service === undefined) {
    const why = "no virtual service has this address, port or mark; the packet is the host's own";
    return { ...nothing, service: null, scheduler: null, refusal: "no-service", why };
  }
  const { scheduler } = director.serviceView(service);
  const before = director.destinationViews(service);
  const entry = entryOf(director, flow);
  const copy = director.fork(random, flow);
  const flags = flow.protocol === PROTOCOL.tcp ? TCP_FLAG.syn : 0;
  const verdict = copy.segment(flow, DIRECTION.input, flags, 0, nowMs);
  const forwarded = verdict.action === ACTION.forward;
  const chosen = forwarded ? copy.destinationView(verdict.destination) : undefined;
  const reason = REASONS[scheduler];
  const template = templateOf(director, copy, service, verdict.destination, forwarded);
  return {
    flow: text,
    service: serviceName(service),
    scheduler,
    rules,
    entry: entry === undefined ? null : known(entry),
    template: template === undefined ? null : known(template),
    destinations: before.map((it) => ({
      address: formatEndpoint(it),
      weight: it.weight,
      activeConns: it.activeConns,
      inactiveConns: it.inactiveConns,
      value: it.weight > 0 ? reason?.value?.(it) ?? "" : "",
      excluded: it.weight === 0 ? "quiesced: weight 0" : it.overloaded ? "over its upper threshold" : "",
      chosen: it.handle === verdict.destination && forwarded,
    })),
    answer: chosen === undefined
      ? null
      : formatEndpoint({ address: chosen.address, port: verdict.destinationPort }),
    refusal: forwarded ? null : refusalWord(verdict.reason),
    why: whyOf({
      forwarded,
      isNew: verdict.isNew,
      template,
      refusal: refusalWord(verdict.reason),
      scheduler,
    }),
  };
}

function whyOf(facts: {
  forwarded: boolean;
  isNew: boolean;
  template: ConnectionView | undefined;
  refusal: string;
  scheduler: string;
}): string {
  const { forwarded, isNew, template, refusal, scheduler } = facts;
  if (!forwarded) return REFUSALS[refusal] ?? `refused: ${refusal}`;
  if (!isNew) return "the connection is known and stays with its destination";
  if (template !== undefined) {
    return "the client is bound by a persistence template; the scheduler is not asked";
  }
  return REASONS[scheduler]?.rule ?? `scheduler ${scheduler} decided`;
}

const REFUSALS: Readonly<Record<string, string>> = {
  "no-destination":
    "the scheduler has nobody: no destination, all quiesced, all overloaded, or a hash that met such a one",
  "destination-removed":
    "the connection's destination was deleted; its segments are dropped (expire_nodest_conn is 0)",
  "table-full": "the connection table is full",
};

function entryOf(director: Director, flow: Flow): ConnectionView | undefined {
  for (const it of director.connections()) {
    if (it.isTemplate || it.protocol !== flow.protocol) continue;
    if (it.client.port !== flow.clientPort || it.virtual.port !== flow.virtualPort) continue;
    const same = (words: Uint32Array, others: Uint32Array) => words.every((word, i) => word === others[i]);
    if (same(it.client.address.words, flow.client) && same(it.virtual.address.words, flow.virtual)) return it;
  }
  return undefined;
}

/** The template that was there before and has one connection more in the copy: the one that decided. */
function templateOf(
  director: Director,
  copy: Director,
  service: number,
  destination: number,
  forwarded: boolean,
): ConnectionView | undefined {
  if (!forwarded || director.serviceView(service).persistence === undefined) return undefined;
  const text = (it: ConnectionView) =>
    `${it.protocol} ${formatEndpoint(it.client)} ${formatEndpoint(it.virtual)} ${it.destinationHandle}`;
  const controls = new Map<string, number>();
  for (const it of director.connections()) if (it.isTemplate) controls.set(text(it), it.controls);
  for (const it of copy.connections()) {
    if (!it.isTemplate || it.destinationHandle !== destination) continue;
    const before = controls.get(text(it));
    if (before !== undefined && it.controls > before) return it;
  }
  return undefined;
}

function known(connection: ConnectionView): KnownConnection {
  return {
    destination: formatEndpoint(connection.destination),
    state: connection.state,
    expiresSeconds: Math.round(connection.expiresMs / 1_000),
  };
}
