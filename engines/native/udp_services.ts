/**
 * The UDP services of a worker, and what they share.
 *
 * @module
 */
import type { EndReason } from "../engine.ts";
import { KeptDatagrams } from "./kept_datagrams.ts";
import type { OpenCommand } from "./messages.ts";
import type { Questions } from "./questions.ts";
import { UdpBatch } from "./udp_batch.ts";
import { UdpForwarding } from "./udp_forwarding.ts";
import type { UdpParts } from "./udp_parts.ts";
import { UdpRecords } from "./udp_records.ts";
import { UdpReplies } from "./udp_replies.ts";
import { UdpService } from "./udp_service.ts";
import type { UdpSession } from "./udp_session.ts";
import type { WorkerParts } from "./worker_parts.ts";

/** What UDP asks of its worker besides its parts. */
export interface UdpHost {
  readMail(): void;
  /** The last session of a service that takes no new ones has ended. */
  emptied(slot: number): void;
}

/** By slot. Buffers are made with the first service: a worker of TCP alone has none. */
export class UdpServices {
  readonly #bySlot = new Map<number, UdpService>();
  readonly #records: UdpRecords;
  readonly #host: UdpHost;
  #parts: UdpParts | undefined;

  constructor(seed: number, questions: Questions, host: UdpHost) {
    this.#records = new UdpRecords(seed, questions);
    this.#host = host;
  }

  open(worker: WorkerParts, command: OpenCommand): void {
    const { libc } = worker.sockets;
    this.#parts ??= {
      worker,
      records: this.#records,
      batch: new UdpBatch(libc),
      forwarding: new UdpForwarding(libc),
      replies: new UdpReplies(libc, worker.reactor),
      kept: new KeptDatagrams(),
      readMail: this.#host.readMail,
      emptied: this.#host.emptied,
    };
    this.#bySlot.set(command.slot, new UdpService(this.#parts, command));
  }

  get(slot: number): UdpService | undefined {
    return this.#bySlot.get(slot);
  }

  /** Lets go of a service's listener. */
  release(slot: number): void {
    this.#bySlot.get(slot)?.release();
    this.#bySlot.delete(slot);
  }

  /** @param id below 0 */
  session(id: number): UdpSession | undefined {
    return this.#records.get(id);
  }

  /** Sessions that the rules may count. */
  *entered(): Generator<UdpSession> {
    for (const it of this.#records.live()) if (it.hasEntry) yield it;
  }

  entryExpired(id: number, entry: number): void {
    const session = this.#records.get(id);
    if (session?.entry === entry) session.service?.entryExpired(session);
  }

  get live(): number {
    let live = 0;
    for (const it of this.#bySlot.values()) live += it.live;
    return live;
  }

  get hasDeadlines(): boolean {
    for (const it of this.#bySlot.values()) if (it.hasDeadlines) return true;
    return false;
  }

  tick(nowMs: number): void {
    for (const it of this.#bySlot.values()) it.tick(nowMs);
  }

  destinationRemoved(destination: number): void {
    for (const it of this.#bySlot.values()) it.endAll("destination-removed", destination);
  }

  /** At once, whatever the spread: UDP has no reset, so no client notices and comes back. */
  endAll(slots: readonly number[], reason: EndReason): void {
    for (const slot of slots) this.#bySlot.get(slot)?.endAll(reason);
  }

  turned(): void {
    this.#records.turned();
  }

  /** Ends everything. */
  end(): void {
    for (const slot of [...this.#bySlot.keys()]) this.release(slot);
  }
}
