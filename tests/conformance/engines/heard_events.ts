/** What every suite of engines needs: an ear on an engine's events, and addresses as they are written. */
import type { EndedConnection, EndReason, EngineEvents } from "../../../engines/engine.ts";
import { type Endpoint, isNamed, parseEndpoint } from "../../../net/endpoint.ts";

/** Longest wait for an event that must come. */
const EVENT_MS = 5_000;

/** Everything that the engine said. */
export class HeardEvents implements EngineEvents {
  readonly endings: EndedConnection[] = [];
  readonly drops: EndReason[] = [];
  readonly failures: { destination: number; reason: EndReason }[] = [];
  readonly successes: number[] = [];
  readonly troubles: string[] = [];
  #waiters: { met: () => boolean; resolve: () => void }[] = [];

  ended(connection: EndedConnection): void {
    const { service, client, destination, reason, durationMs, bytesIn, bytesOut } = connection;
    this.endings.push({ service, client, destination, reason, durationMs, bytesIn, bytesOut });
    this.#heard();
  }

  dropped(_service: number, reason: EndReason): void {
    this.drops.push(reason);
    this.#heard();
  }

  connectFailed(destination: number, reason: EndReason): void {
    this.failures.push({ destination, reason });
    this.#heard();
  }

  connectSucceeded(destination: number): void {
    this.successes.push(destination);
    this.#heard();
  }

  trouble(_service: number, message: string): void {
    this.troubles.push(message);
    this.#heard();
  }

  #heard(): void {
    const met = this.#waiters.filter((it) => it.met());
    this.#waiters = this.#waiters.filter((it) => !met.includes(it));
    for (const { resolve } of met) resolve();
  }

  /** Resolves as soon as the events heard meet a condition. */
  until(what: string, met: () => boolean): Promise<void> {
    if (met()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not heard in ${EVENT_MS} ms: ${what}`)), EVENT_MS);
      this.#waiters.push({
        met,
        resolve: () => {
          clearTimeout(late);
          resolve();
        },
      });
    });
  }
}

/** An address and port that stands in a test. */
export function endpointOf(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  if (isNamed(endpoint)) throw new Error(`${text} is a name`);
  return endpoint;
}
