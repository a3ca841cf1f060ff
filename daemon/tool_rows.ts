/**
 * Rows of the tool's table with what the daemon knows beside the director: owner, health, what is absent for now.
 *
 * @module
 */
import { NO_NUMBERS } from "../ipvsadm/table.ts";
import type { DestinationNote, DestinationRow, ServiceRow } from "../ipvsadm/table.ts";
import { PLAIN_TUNNEL } from "../modes/tunnel.ts";
import { isNamed } from "../net/endpoint.ts";
import type { Engine } from "../engines/engine.ts";
import { emulationFor, emulationOf } from "./emulation.ts";
import type { Engines } from "./engines.ts";
import type { Member } from "./member.ts";
import { hasSocket, identityOf, reasonUnserved } from "./ruled_service.ts";
import type { ServiceSet } from "./service_set.ts";
import { stateOfMember } from "./status_report.ts";
import type { VirtualService } from "./virtual_service.ts";

type EngineName = Engine["name"];

/** In the place of an engine: nobody moves the bytes, or those of the listeners whose clients rules give a mark. */
const UNSERVED = "none";
const BY_RULES = "rules";

/** What a row is made of beside the director's. */
export interface ToolRowParts {
  readonly services: ServiceSet;
  readonly engines: Engines;
  readonly givesMark: (mark: number) => boolean;
}

/** Adds to the director's rows. */
export class ToolRows {
  readonly #services: ServiceSet;
  readonly #engines: Engines;
  readonly #givesMark: (mark: number) => boolean;

  constructor({ services, engines, givesMark }: ToolRowParts) {
    this.#services = services;
    this.#engines = engines;
    this.#givesMark = givesMark;
  }

  /** Without services that a reload removed and that live on until their connections have ended. */
  of(rows: readonly ServiceRow[]): ServiceRow[] {
    const current = new Map(this.#services.current.map((it) => [it.key, it]));
    return rows.flatMap((row) => {
      const identity = identityOf(row.key) ?? "";
      const service = current.get(identity);
      if (service === undefined && this.#services.isLeaving(identity)) return [];
      if (service !== undefined) return [this.#withService(row, service)];
      if (hasSocket(row.key)) return [];
      return [{ ...row, note: this.#unlistened(reasonUnserved(row.key, this.#givesMark)) }];
    });
  }

  #unlistened(reason: string | undefined): NonNullable<ServiceRow["note"]> {
    return {
      name: "",
      owner: "ipvsadm",
      changed: false,
      state: reason === undefined ? "listening" : "unbound",
      reason: reason ?? "",
      engine: reason === undefined ? BY_RULES : UNSERVED,
      emulated: "",
    };
  }

  #withService(row: ServiceRow, service: VirtualService): ServiceRow {
    const { listener, config, members, sorryServer } = service;
    const engine = this.#engines.choiceFor(config).engine.name;
    const held = row.destinations.map((it) => {
      const member = members.find((one) => isAt(one, it));
      if (member !== undefined) return { ...it, note: noteOf(member, service, engine) };
      return sorryServer !== undefined && isAt(sorryServer, it) ? { ...it, standsIn: true } : it;
    });
    return {
      ...row,
      destinations: [
        ...held,
        ...members.flatMap((it) => it.handle < 0 ? absentRow(it, service, engine) : []),
      ],
      note: {
        name: config.name,
        owner: this.#services.ownerOf(service),
        changed: this.#services.isChanged(service),
        state: listener.state,
        reason: listener.problem,
        engine,
        emulated: emulationFor(config, this.#engines),
      },
    };
  }
}

function isAt({ endpoint }: Member, { address, port }: DestinationRow): boolean {
  return endpoint !== undefined && endpoint.port === port && endpoint.address.equals(address);
}

/** A destination that health or a name without an address keeps out of the director; none without any address. */
function absentRow(member: Member, service: VirtualService, engine: EngineName): DestinationRow[] {
  const { config, endpoint } = member;
  const place = endpoint ?? (isNamed(config.endpoint) ? undefined : config.endpoint);
  if (place === undefined) return [];
  return [{
    ...place,
    method: config.method ?? service.config.mode,
    weight: config.weight,
    effectiveWeight: 0,
    absent: true,
    upperThreshold: config.upperThreshold,
    lowerThreshold: config.lowerThreshold,
    tunnel: config.tunnel ?? PLAIN_TUNNEL,
    activeConns: 0,
    inactiveConns: 0,
    persistentConns: 0,
    totals: NO_NUMBERS,
    rates: NO_NUMBERS,
    note: noteOf(member, service, engine),
  }];
}

function noteOf(member: Member, { config }: VirtualService, engine: EngineName): DestinationNote {
  const isWatched = (member.config.healthCheck ?? config.healthCheck ?? false) !== false ||
    config.passive !== undefined;
  return {
    name: member.config.name,
    state: stateOfMember(member, isWatched),
    emulated: emulationOf([member.config.method ?? config.mode], engine) !== "",
  };
}
