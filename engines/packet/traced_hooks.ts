/**
 * Hooks that write down what a packet meets; rules are asked, and count nothing.
 *
 * @module
 */
import { HOOK, type Hook, HOOK_NAMES, type HookVerdict, VERDICT } from "../../hooks/hook.ts";
import { Hooks } from "../../hooks/hooks.ts";
import type { PacketView } from "../../hooks/packet_view.ts";
import { ruleText } from "../../hooks/rule_text.ts";
import { IpAddress } from "../../net/address.ts";
import { formatEndpoint } from "../../net/endpoint.ts";
import { protocolText } from "./packet_text.ts";

/** One chain or one of the director's functions on a hook. */
export interface MetOnHook {
  readonly priority: number;
  /** `director: requests`, or the chain's name. */
  readonly what: string;
  /** Rules of the chain that matched, or that its policy decided. */
  readonly rules: readonly string[];
  /** `accept`, `drop`, `stolen` (it went on from here), `reject`. */
  verdict: string;
}

/** A packet on one hook. */
export interface HookStep {
  /** `PREROUTING` */
  readonly at: string;
  /** The packet as it is there. */
  readonly text: string;
  readonly met: MetOnHook[];
}

const VERDICT_NAMES = Object.entries(VERDICT);

/** Tells `onStep` of each hook before the packet passes it; what it met is filled in on the way. */
export class TracedHooks extends Hooks {
  readonly #onStep: (step: HookStep) => void;
  readonly #nameOf: (interfaceIndex: number) => string;

  constructor(onStep: (step: HookStep) => void, nameOf: (interfaceIndex: number) => string) {
    super();
    this.#onStep = onStep;
    this.#nameOf = nameOf;
  }

  /** Always, so that each packet is described. */
  override get hasRules(): boolean {
    return true;
  }

  override run(hook: Hook, view: PacketView, nowMs: number): HookVerdict {
    const met: MetOnHook[] = [];
    const out = view.outInterface < 0 ? "" : `, out ${this.#nameOf(view.outInterface)}`;
    this.#onStep({ at: (HOOK_NAMES[hook] ?? "").toUpperCase(), text: `${viewText(view, hook)}${out}`, met });
    for (const { priority, name, chain, run } of this.hung(hook)) {
      if (chain === undefined) {
        const own: MetOnHook = { priority, what: name, rules: [], verdict: "" };
        met.push(own);
        const verdict = run(view, nowMs);
        own.verdict = verdictName(verdict);
        if (verdict !== VERDICT.accept) return verdict;
        continue;
      }
      const verdict = this.#ask(chain, priority, met, view, nowMs);
      if (verdict !== VERDICT.accept) return verdict;
    }
    return VERDICT.accept;
  }

  #ask(
    chain: number,
    priority: number,
    met: MetOnHook[],
    view: PacketView,
    nowMs: number,
  ): HookVerdict {
    const set = this.rules;
    if (set === undefined) return VERDICT.accept;
    const { verdict, rules } = set.ask(chain, view, nowMs);
    const texts = rules.map((rule) => ruleText(set, rule));
    if (view.rule < 0 && verdict !== VERDICT.accept) texts.push("policy DROP");
    met.push({ priority, what: set.chains[chain]?.name ?? "", rules: texts, verdict: verdictName(verdict) });
    return verdict;
  }
}

function verdictName(verdict: HookVerdict): string {
  return VERDICT_NAMES.find(([, value]) => value === verdict)?.[0] ?? "";
}

function viewText(view: PacketView, hook: Hook): string {
  const { family, source, destination, sourcePort, destinationPort, bytes, mark, protocol } = view;
  const side = (words: Uint32Array, port: number) => {
    const address = new IpAddress(family, words.slice());
    return port < 0 ? String(address) : formatEndpoint({ address, port });
  };
  const marked = mark === 0 || hook === HOOK.prerouting ? "" : `, mark ${mark}`;
  return `${protocolText(protocol)} ${side(source, sourcePort)} > ${
    side(destination, destinationPort)
  }, ${bytes} bytes${marked}`;
}
