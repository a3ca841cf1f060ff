/**
 * The connection sync daemons, as far as there are any: their parameters are kept and shown, nothing is sent.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import type { SyncRule, SyncState } from "./rules.ts";
import type { SyncRow } from "./table.ts";

/** A network interface of this host. */
export interface NetworkInterface {
  readonly name: string;
  readonly mtu: number;
}

const DEFAULTS = { group: "224.0.0.81", port: 8_848, ttl: 1 } as const;
/** IP and UDP headers of a message, bytes. */
const HEADER_BYTES = { 4: 28, 6: 48 } as const;
const MASTER_MTU = 1_500;
const LONGEST_DATAGRAM = 65_535;
const SHORTEST_BACKUP_MESSAGE = 1_024;

/** At most one master and one backup. */
export class SyncDaemons {
  readonly #interfaces: () => readonly NetworkInterface[];
  readonly #rows = new Map<SyncState, SyncRow>();
  readonly #rules = new Map<SyncState, SyncRule>();

  constructor(interfaces: () => readonly NetworkInterface[]) {
    this.#interfaces = interfaces;
  }

  /** Master before backup. */
  get rows(): readonly SyncRow[] {
    return (["master", "backup"] as const).flatMap((state) => this.#rows.get(state) ?? []);
  }

  /** What was asked for, master before backup. */
  get rules(): readonly SyncRule[] {
    return (["master", "backup"] as const).flatMap((state) => this.#rules.get(state) ?? []);
  }

  /**
   * Starts one.
   *
   * @param mixedFamilies there are destinations of another address family than their service: the protocol knows none
   * @throws {DirectorError} `EINVAL`, `ENODEV`, `EEXIST`
   */
  start(rule: SyncRule, mixedFamilies: boolean): void {
    const { state, interfaceName } = rule;
    if (mixedFamilies) {
      throw new DirectorError(
        "EINVAL",
        "a sync daemon cannot tell of destinations of another address family",
      );
    }
    const device = this.#interfaces().find(({ name }) => name === interfaceName);
    if (device === undefined) {
      throw new DirectorError("ENODEV", `there is no network interface ${interfaceName}`, { interfaceName });
    }
    if (this.#rows.has(state)) throw new DirectorError("EEXIST", `a ${state} sync daemon has already run`);
    this.#rules.set(state, rule);
    this.#rows.set(state, {
      state,
      interfaceName,
      syncId: rule.syncId,
      maxLength: messageLength(rule, device.mtu),
      group: String(rule.group ?? DEFAULTS.group),
      port: rule.port || DEFAULTS.port,
      ttl: rule.ttl || DEFAULTS.ttl,
    });
  }

  /** @throws {DirectorError} `ESRCH` */
  stop(state: SyncState): void {
    this.#rules.delete(state);
    if (!this.#rows.delete(state)) throw new DirectorError("ESRCH", `no ${state} sync daemon is running`);
  }
}

/** As `ip_vs_sync.c` bounds it: a backup takes what its interface can carry, a master sends at most one Ethernet frame. */
function messageLength({ state, group, maxLength }: SyncRule, interfaceMtu: number): number {
  const header = HEADER_BYTES[group?.family ?? 4];
  const isBackup = state === "backup";
  if (maxLength !== 0) {
    const shortest = isBackup ? SHORTEST_BACKUP_MESSAGE : 1;
    return Math.min(Math.max(maxLength, shortest), LONGEST_DATAGRAM - header);
  }
  const mtu = isBackup ? Math.min(Math.max(interfaceMtu, MASTER_MTU), LONGEST_DATAGRAM) : MASTER_MTU;
  return mtu - header;
}
