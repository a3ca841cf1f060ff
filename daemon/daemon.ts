/**
 * The assembly room: director, engine and health checks put together from a configuration, kept in step with it by
 * reload, and taken down by drain. It answers what the admin side asks.
 *
 * @module
 */
import type {
  PacketExplanation,
  Readiness,
  ReloadOutcome,
  RulesStatus,
  Status,
  StatusSource,
} from "../admin/source.ts";
import type { ToolAnswer, ToolRequest } from "../admin/tool.ts";
import type { Timer } from "../clock.ts";
import type { Config } from "../config/model.ts";
import type { Plan } from "../config/plan.ts";
import type { Director } from "../director/director.ts";
import type { KernelSysctlName, SysctlState } from "../director/sysctl_text.ts";
import type { Engine } from "../engines/engine.ts";
import { followPacket, type PacketWish } from "../engines/packet/packet_path.ts";
import { DirectorError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Flow } from "../net/flow.ts";
import { SeededRandom } from "../net/random.ts";
import { explain, type Explanation } from "../simulator/explain.ts";
import { flowOf, parseFlow } from "../simulator/flows.ts";
import type { ServiceReference } from "../simulator/script.ts";
import type { EngineLog } from "./engine_log.ts";
import { assemble, type Assembly } from "./assembly.ts";
import { refuseTransparent } from "./client_address.ts";
import { hostInterfaces } from "./own_listeners.ts";
import { EmulationLog, refuseEmulation } from "./emulation.ts";
import { missingFor } from "./permissions.ts";
import { Reloader } from "./reloader.ts";
import { Switches } from "./switches.ts";
import { ServiceSet } from "./service_set.ts";
import { assertStateWritable } from "./state_file.ts";
import { readinessOf, type ReportFacts, statusOf } from "./status_report.ts";
import type { DaemonOptions } from "./options.ts";
import { systemNames } from "./system_names.ts";
import { ToolDesk } from "./tool_desk.ts";
import { ToolTable } from "./tool_table.ts";
import { Turns } from "./turns.ts";

/** A running director. */
export class Daemon implements StatusSource {
  readonly director: Director;
  readonly engine: Engine;
  readonly #assembly: Assembly;
  readonly #services: ServiceSet;
  readonly #switches: Switches;
  readonly #emulation: EmulationLog;
  readonly #reloader: Reloader;
  readonly #turns = new Turns();
  readonly #tool: ToolDesk;
  readonly #options: DaemonOptions;
  readonly #startedMs: number;
  readonly #startedWallMs: number;
  #draining = false;
  #stopping: Promise<void> | undefined;
  #tick: Timer | undefined;

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    this.#startedWallMs = options.clock.wallMs();
    this.#assembly = assemble(options, {
      healthChanged: (id, change) => this.#services.healthChanged(id, change),
      listenersChanged: () => this.#services.settleAll(),
      serviceName: (handle) => this.#services.nameOf(handle),
    });
    this.director = this.#assembly.director;
    this.engine = this.#assembly.engine;
    this.#services = new ServiceSet(this.#assembly);
    this.#switches = new Switches(this.director.sysctl, options.logger);
    this.#emulation = new EmulationLog(options.logger);
    this.#reloader = new Reloader({
      ...options,
      load: async () => {
        const config = await options.load();
        refuseEmulation(config, this.#assembly.engines);
        refuseTransparent(config, this.#assembly.engines);
        return config;
      },
      apply: (config, plan) => this.#turns.run(() => this.#apply(config, plan)),
      unbound: () => this.unbound,
      refusal: () => this.#draining ? "draining: nothing is changed any more" : undefined,
    });
    this.#tool = this.#openTool(options);
  }

  /** Starts everything that `options.config` names; resolves when each listener is open or known to be unbound. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    // Before anything listens: what ipvsadm makes must not turn out to be lost with its first command.
    if (options.stateFile !== undefined) await assertStateWritable(options.stateFile);
    const daemon = new Daemon(options);
    const { engine, reason } = daemon.#assembly.engines.choiceFor({});
    options.logger.info("engine {engine} for TCP and UDP: {reason}", { engine: engine.name, reason });
    try {
      refuseEmulation(options.config, daemon.#assembly.engines);
      refuseTransparent(options.config, daemon.#assembly.engines);
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    await daemon.#apply(options.config, undefined);
    await daemon.#tool.restore();
    daemon.#scheduleTick();
    return daemon;
  }

  get config(): Config {
    return this.#reloader.config;
  }

  /** Names and reasons of the services that could not be bound. */
  get unbound(): readonly { name: string; problem: string }[] {
    return this.#services.current.filter((it) => it.listener.state === "unbound")
      .map((it) => ({ name: it.config.name, problem: it.listener.problem }));
  }

  get services(): ServiceSet["current"] {
    return this.#services.current;
  }

  get events(): EngineLog {
    return this.#assembly.events;
  }

  status(): Status {
    return statusOf(this.#facts());
  }

  sysctls(): readonly SysctlState[] {
    return this.#switches.list();
  }

  setSysctl(name: KernelSysctlName, value: string): SysctlState {
    return this.#switches.set(name, value);
  }

  readiness(): Readiness {
    return readinessOf(this.#facts());
  }

  rules(): RulesStatus {
    return this.#assembly.rules.status();
  }

  zeroRules(): RulesStatus {
    return this.#assembly.rules.zero();
  }

  record(): string {
    return this.#assembly.record();
  }

  explain(flow: string): Explanation {
    return this.#explain(this.#flowOf(flow));
  }

  async explainPacket(text: string, wish: PacketWish): Promise<PacketExplanation> {
    const surroundings = await this.#assembly.engines.surroundings();
    const flow = this.#flowOf(text);
    const decision = this.#explain(flow);
    const copy = this.director.fork(new SeededRandom(1), flow);
    return { ...decision, path: followPacket(copy, flow, surroundings, wish, this.#options.clock.nowMs()) };
  }

  #flowOf(text: string): Flow {
    const { director } = this;
    const directory = { director, service: (reference: ServiceReference) => this.#services.find(reference) };
    return flowOf(parseFlow(text), directory);
  }

  #explain(flow: Flow): Explanation {
    const nowMs = this.#options.clock.nowMs();
    return explain({
      director: this.director,
      flow,
      nowMs,
      rules: this.#assembly.rules.ask(flow, nowMs),
      // Of its own: a question must not take a draw away from traffic.
      random: new SeededRandom(1),
      serviceName: (handle) => this.#services.nameOf(handle),
    });
  }

  async reload(): Promise<ReloadOutcome> {
    this.#options.onReload?.();
    try {
      const outcome = await this.#reloader.reload();
      this.#options.onReload?.(outcome);
      return outcome;
    } catch (error) {
      // Whoever waits for the end of this reload must not wait for ever.
      const message = "ended by a defect in lvsd";
      this.#options.onReload?.({ ok: false, message, problems: [], changes: [] });
      throw error;
    }
  }

  /** One command of ipvsadm. */
  tool(request: ToolRequest): Promise<ToolAnswer> {
    return this.#tool.run(request);
  }

  /** A view of `/proc/net`, undefined when there is none of this name. */
  proc(name: string): string | undefined {
    return this.#tool.proc(name);
  }

  /**
   * Refuses new connections, lets the old ones go on until the deadline of the configuration, resets the rest spread
   * over its window, and stops.
   */
  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    const { clock, logger } = this.#options;
    const { deadlineMs, spreadMs } = this.config.drain;
    await this.#services.closeListeners("draining");
    logger.info("draining: live connections: {live}, for at most {deadlineMs} ms", {
      live: this.engine.liveConnections(),
      deadlineMs,
    });
    const idle = this.engine.whenIdle().then(() => true);
    const late = new Promise<boolean>((resolve) => clock.after(deadlineMs, () => resolve(false)));
    if (!await Promise.race([idle, late])) {
      logger.warn("drain deadline reached: live connections: {live}, reset over {spreadMs} ms", {
        live: this.engine.liveConnections(),
        spreadMs,
      });
      await this.engine.resetAll(spreadMs, "drained");
    }
    await this.stop();
  }

  /** Closes everything now; asked twice (a drain cut short), it is done once. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#draining = true;
    this.#tick?.cancel();
    this.#assembly.resolver.stop();
    const checksStopped = this.#assembly.monitor.stop();
    await this.#services.closeListeners("stopped");
    await this.engine.stop();
    await checksStopped;
  }

  /** @param plan undefined at the start; a reload leaves time-outs that the file did not change to `ipvsadm --set` */
  async #apply(config: Config, plan: Plan | undefined): Promise<string[]> {
    if (this.#draining) throw new DirectorError("EBUSY", "lvsd is draining");
    // First of all, for it may be refused.
    const notes = this.#services.apply(config);
    const { tcpMs, tcpFinMs, udpMs } = config.timeouts;
    if (plan?.changes.some((it) => it.kind === "section-changed" && it.section === "timeouts") ?? true) {
      this.director.setTimeouts({ tcpMs, tcpFinMs, udpMs });
    }
    this.#switches.apply(config.ipvs);
    this.events.logConnections = config.log.connections;
    if (plan?.logChanged) await this.#options.onLogConfig?.(config.log);
    // First the rules, then what opens listeners: nobody slips in between.
    this.#assembly.rules.apply(config);
    const { rules, engines } = this.#assembly;
    engines.judge(rules.areInForce, rules.areCounted);
    await engines.setRules(config);
    this.#emulation.tell(config, engines);
    await this.#services.listen();
    this.#assembly.rules.namesChanged();
    await engines.passed();
    this.#tellMissingPermissions(config);
    return notes;
  }

  /** Before traffic finds out. FFI is left out: the engines say what they do without it. */
  #tellMissingPermissions(config: Config): void {
    const { stateFile, logger } = this.#options;
    const missing = missingFor(config, { variables: [], socketPath: undefined, stateFile, hasFfi: false });
    if (missing.length === 0) return;
    logger.warn("Deno does not allow all of what this config needs: start it with {missing} too", {
      missing: missing.join(" "),
    });
  }

  #openTool({ clock, logger, stateFile }: DaemonOptions): ToolDesk {
    const table = new ToolTable({
      director: this.director,
      services: this.#services,
      engines: this.#assembly.engines,
      turns: this.#turns,
      logger,
      nowMs: () => clock.nowMs(),
      interfaces: hostInterfaces,
      givesMark: (mark) => this.#assembly.rules.givesMark(mark),
      refusal: () => this.#draining ? "lvsd is draining; nothing is changed any more" : undefined,
    });
    return new ToolDesk({
      table,
      turns: this.#turns,
      logger,
      names: () => systemNames(clock),
      passed: () => this.#assembly.engines.passed(),
      stateFile,
    });
  }

  #scheduleTick(): void {
    const { clock } = this.#options;
    this.#tick = clock.after(LIMITS.directorTickMs, () => {
      this.director.advance(clock.nowMs());
      this.#services.sweepRetired();
      if (!this.#draining || this.engine.liveConnections() > 0) this.#scheduleTick();
    });
  }

  #facts(): ReportFacts {
    const { clock, version, logDropped } = this.#options;
    return {
      assembly: this.#assembly,
      services: this.#services.current,
      config: this.config,
      generation: this.#reloader.generation,
      lastReload: this.#reloader.last,
      draining: this.#draining,
      version,
      nowMs: clock.nowMs(),
      wallMs: clock.wallMs(),
      startedMs: this.#startedMs,
      startedWallMs: this.#startedWallMs,
      logDropped: logDropped?.() ?? 0,
      unserved: this.#tool.unserved,
    };
  }
}
