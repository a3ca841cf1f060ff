/**
 * What a worker asks the main thread, where the rules and all listeners of the program are known.
 *
 * @module
 */
import type { Flow } from "../../net/flow.ts";
import type { Report } from "./messages.ts";
import type { Target } from "./targets.ts";

/** Says questions; answers come by mail. */
export class Questions {
  readonly #say: (report: Report) => void;

  constructor(say: (report: Report) => void) {
    this.#say = say;
  }

  /** Asks the rules; the answer is given to the connection. @param bytes payload of the datagram that opens it */
  judge(connection: number, startMs: number, flow: Flow, bytes: number): void {
    const { protocol, service, family, clientPort, virtualPort } = flow;
    const [client, virtual] = [flow.client.slice(), flow.virtual.slice()];
    this.#say({
      kind: "judge",
      connection,
      startMs,
      protocol,
      service,
      family,
      client,
      clientPort,
      virtual,
      virtualPort,
      bytes,
    });
  }

  /** Lets the rules know of a connection that is there already. @param admission by which they know it, 0 when they do not */
  introduce(connection: number, startMs: number, { family, client }: Flow, admission: number): void {
    this.#say({ kind: "introduce", connection, startMs, family, client: client.slice(), admission });
  }

  /** A connection that the rules had let in is over. */
  left(admission: number): void {
    this.#say({ kind: "left", admission });
  }

  /** Whether traffic to a target would come back to this program. */
  isLoop({ protocol, destination, host, port }: Target): void {
    this.#say({ kind: "ask-loop", protocol, destination, host, port });
  }
}
