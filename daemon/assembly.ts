/**
 * Puts the rooms together: which part is told what by which other part stands here and nowhere else.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { Director } from "../director/director.ts";
import type { Engine } from "../engines/engine.ts";
import { LvsdError } from "../errors.ts";
import { type HealthChange, Monitor } from "../healthcheck/monitor.ts";
import type { Random } from "../net/random.ts";
import { type ConnectWitness, EngineLog } from "./engine_log.ts";
import { Engines, packetPlace } from "./engines.ts";
import { workerCount } from "./native_place.ts";
import type { DaemonOptions } from "./options.ts";
import { OwnListeners } from "./own_listeners.ts";
import { recordedDirector } from "./recorded.ts";
import { Resolver } from "./resolver.ts";
import { RuleKeeper } from "./rule_keeper.ts";

/** The parts of a running daemon. */
export interface Assembly {
  readonly director: Director;
  readonly rules: RuleKeeper;
  /** The flight recorder as a script. */
  readonly record: () => string;
  readonly engine: Engine;
  /** Which engine moves what, and why. */
  readonly engines: Engines;
  readonly monitor: Monitor<string>;
  readonly resolver: Resolver;
  readonly ownListeners: OwnListeners;
  readonly events: EngineLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Health identity of each destination handle, for passive evidence. */
  readonly healthIds: Map<number, string>;
  /** A listener opened or closed: others may have become, or ceased to be, loops. */
  readonly listenersChanged: () => void;
}

/** What the parts ask of the whole. */
export interface AssemblyQuestions {
  healthChanged(id: string, change: HealthChange): void;
  listenersChanged(): void;
  serviceName(handle: number): string;
}

/** Makes the parts and connects them. Nothing listens yet. */
export function assemble(options: DaemonOptions, questions: AssemblyQuestions): Assembly {
  const { clock, random, logger, dialer, lookUpName, localAddresses, config } = options;
  const healthIds = new Map<number, string>();
  const ownListeners = new OwnListeners(localAddresses);
  const monitor = new Monitor<string>({ clock, random, dialer, onChange: questions.healthChanged });
  const { serviceName } = questions;
  const witness = witnessFor(monitor, healthIds);
  const events = new EngineLog({ logger, serviceName, logConnections: config.log.connections, witness });
  const workers = workerCount(config.workers);
  const packet = packetPlace(config.packet, workers);
  const { director, record, flights } = recordedDirector({
    clock,
    random,
    workers: workers + (packet.place === undefined ? 0 : 1),
    onExpire: (entry) => {
      rules.gate.entryEnded(entry);
      engines.engine.entryExpired(entry);
    },
  });
  const rules: RuleKeeper = new RuleKeeper({
    director,
    random,
    logger,
    serviceName,
    counted: () => engines.ruleCounters,
    onZero: () => engines.zeroRuleCounters(),
  });
  const engines: Engines = new Engines({
    director,
    traffic: rules.gate,
    events,
    clock,
    random,
    workers,
    threads: options.threads,
    packet,
    onLog: (packet) => rules.log(packet),
    flights,
    isOwnListener: (protocol, target) => ownListeners.includes(protocol, target),
  });
  return {
    director,
    rules,
    record,
    engine: engines.engine,
    engines,
    monitor,
    resolver: new Resolver({ clock, lookUp: lookUpName, onRefused: refusalsTo(logger) }),
    ownListeners,
    events,
    clock,
    random,
    logger,
    healthIds,
    listenersChanged: questions.listenersChanged,
  };
}

/** Passes what engines met at a destination on to the checks of its health, if it has any. */
function witnessFor(monitor: Monitor<string>, healthIds: ReadonlyMap<number, string>): ConnectWitness {
  const tell = (destination: number, report: (id: string) => void) => {
    const id = healthIds.get(destination);
    if (id !== undefined) report(id);
  };
  return {
    connectFailed: (destination, reason) =>
      tell(destination, (id) => monitor.reportConnectFailed(id, reason)),
    connectSucceeded: (destination) => tell(destination, (id) => monitor.reportConnectSucceeded(id)),
  };
}

function refusalsTo(logger: Logger): (host: string, error: unknown) => void {
  return (host, error) =>
    logger.error("the address of {host} could not be taken over, tried again soon: {problem}", {
      host,
      problem: error instanceof LvsdError ? error.message : error,
    });
}
