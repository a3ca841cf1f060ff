/**
 * The one firewall rule of the recordings: marks packets by their destination, so that a service of a mark gets them.
 *
 * @module
 */
import { ValueError } from "../../errors.ts";
import type { Flow } from "../../net/flow.ts";
import { PROTOCOL } from "../../net/flow.ts";
import { Prefix } from "../../net/prefix.ts";

const RULE =
  /^ip6?tables\S* -t mangle -A PREROUTING -d (\S+) -p (tcp|udp) --dport (\d+) -j MARK --set-mark (\d+)$/;

/** Packets to these addresses and this port get this mark. */
export class MarkRule {
  readonly #to: Prefix;
  readonly #protocol: number;
  readonly #port: number;
  readonly #mark: number;

  /** @throws {ValueError} `COMMAND_UNKNOWN` for another command. */
  constructor(command: string) {
    const [, to, protocol, port, mark] = RULE.exec(command) ?? [];
    if (to === undefined || mark === undefined) {
      throw new ValueError("COMMAND_UNKNOWN", `the replay does not know this set-up command: ${command}`);
    }
    this.#to = Prefix.parse(to);
    this.#protocol = protocol === "udp" ? PROTOCOL.udp : PROTOCOL.tcp;
    this.#port = Number(port);
    this.#mark = Number(mark);
  }

  /** Marks the flow when the rule matches it. */
  apply(flow: Flow): void {
    const { family, protocol, virtual, virtualPort } = flow;
    if (family !== this.#to.address.family || !this.#to.containsWords(virtual)) return;
    if (protocol === this.#protocol && virtualPort === this.#port) flow.mark = this.#mark;
  }
}
