/**
 * What the UDP services of a worker work with.
 *
 * @module
 */
import type { KeptDatagrams } from "./kept_datagrams.ts";
import type { UdpBatch } from "./udp_batch.ts";
import type { UdpForwarding } from "./udp_forwarding.ts";
import type { UdpRecords } from "./udp_records.ts";
import type { UdpReplies } from "./udp_replies.ts";
import type { WorkerParts } from "./worker_parts.ts";

/** One of each in a worker. */
export interface UdpParts {
  readonly worker: WorkerParts;
  readonly records: UdpRecords;
  readonly batch: UdpBatch;
  readonly forwarding: UdpForwarding;
  readonly replies: UdpReplies;
  readonly kept: KeptDatagrams;
  readMail(): void;
  /** The last session of a service that takes no new ones has ended. */
  emptied(slot: number): void;
}
