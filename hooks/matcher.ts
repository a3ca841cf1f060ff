/**
 * Whether a packet fits the conditions of a compiled rule. Reads numbers from typed arrays, allocates nothing.
 *
 * @module
 */
import {
  type Compiled,
  CONDITION,
  CONDITION_WORDS,
  KIND,
  NEGATED,
  PREFIX_WORDS,
  RULE,
  RULE_WORDS,
} from "./compiled.ts";
import type { Limiter } from "./limiter.ts";
import { NO_PORT, type PacketView, type SourceConnections } from "./packet_view.ts";

/** Tries the conditions of rules. */
export class Matcher {
  readonly #rules: Int32Array;
  readonly #conditions: Int32Array;
  readonly #ranges: Int32Array;
  readonly #prefixes: Int32Array;
  readonly #limiters: readonly Limiter[];
  readonly #connections: SourceConnections;

  constructor(compiled: Compiled, limiters: readonly Limiter[], connections: SourceConnections) {
    this.#rules = compiled.rules;
    this.#conditions = compiled.conditions;
    this.#ranges = compiled.ranges;
    this.#prefixes = compiled.prefixes;
    this.#limiters = limiters;
    this.#connections = connections;
  }

  /** @param take false only asks: a limit gives no token away */
  matches(rule: number, view: PacketView, nowMs: number, take: boolean): boolean {
    const at = rule * RULE_WORDS;
    const end = (this.#rules[at + RULE.endCondition] ?? 0) * CONDITION_WORDS;
    let condition = (this.#rules[at + RULE.firstCondition] ?? 0) * CONDITION_WORDS;
    for (; condition < end; condition += CONDITION_WORDS) {
      if (!this.#holds(condition, view, nowMs, take)) return false;
    }
    return true;
  }

  #holds(condition: number, view: PacketView, nowMs: number, take: boolean): boolean {
    const words = this.#conditions;
    const kind = words[condition + CONDITION.kind] ?? 0;
    const a = words[condition + CONDITION.a] ?? 0;
    const b = words[condition + CONDITION.b] ?? 0;
    const wanted = (kind & NEGATED) === 0;
    switch (kind & ~NEGATED) {
      case KIND.family:
        return (view.family === a) === wanted;
      case KIND.protocol:
        return this.#inRanges(view.protocol, a, b) === wanted;
      case KIND.service:
        return this.#inRanges(view.service, a, b) === wanted;
      // A port that cannot be read is neither in a range nor outside of it, as in xt_tcpudp.
      case KIND.destinationPort:
        return view.destinationPort !== NO_PORT && this.#inRanges(view.destinationPort, a, b) === wanted;
      case KIND.sourcePort:
        return view.sourcePort !== NO_PORT && this.#inRanges(view.sourcePort, a, b) === wanted;
      case KIND.mark:
        return ((view.mark & b) === a) === wanted;
      case KIND.state:
        return ((view.state & a) !== 0) === wanted;
      case KIND.inInterface:
        return this.#inRanges(view.inInterface, a, b) === wanted;
      case KIND.outInterface:
        return this.#inRanges(view.outInterface, a, b) === wanted;
      case KIND.source:
        return this.#inPrefixes(view.family, view.source, a, b) === wanted;
      case KIND.destination:
        return this.#inPrefixes(view.family, view.destination, a, b) === wanted;
      case KIND.connections: {
        const bits = view.family === 4 ? b : words[condition + CONDITION.c] ?? 0;
        // The packet's own connection counts, as in nf_conncount.
        return (this.#connections.count(view.family, view.source, bits) + 1 > a) === wanted;
      }
      default:
        return (this.#limiters[a]?.within(view.family, view.source, nowMs, take) ?? true) === wanted;
    }
  }

  #inRanges(number: number, from: number, end: number): boolean {
    const ranges = this.#ranges;
    for (let at = from; at < end; at += 2) {
      if (number >= (ranges[at] ?? 0) && number <= (ranges[at + 1] ?? 0)) return true;
    }
    return false;
  }

  /** An address of the other family is in none. */
  #inPrefixes(family: number, address: Uint32Array, from: number, end: number): boolean {
    const prefixes = this.#prefixes;
    for (let at = from; at < end; at += PREFIX_WORDS) {
      if (prefixes[at] !== family) continue;
      if ((((address[0] ?? 0) ^ (prefixes[at + 1] ?? 0)) & (prefixes[at + 5] ?? 0)) !== 0) continue;
      if (family === 4) return true;
      if (
        (((address[1] ?? 0) ^ (prefixes[at + 2] ?? 0)) & (prefixes[at + 6] ?? 0)) === 0 &&
        (((address[2] ?? 0) ^ (prefixes[at + 3] ?? 0)) & (prefixes[at + 7] ?? 0)) === 0 &&
        (((address[3] ?? 0) ^ (prefixes[at + 4] ?? 0)) & (prefixes[at + 8] ?? 0)) === 0
      ) return true;
    }
    return false;
  }
}
