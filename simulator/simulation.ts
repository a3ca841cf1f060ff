/**
 * Runs a script and tells what the director decided at each step.
 *
 * @module
 */
import type { Config } from "../config/model.ts";
import type { FindScheduler } from "../director/bound_schedulers.ts";
import { ConfigError, LvsdError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import type { Flow } from "../net/flow.ts";
import { serviceOf } from "./flows.ts";
import type { Expectation, Script, ScriptLine } from "./script.ts";
import { formatExpectation } from "./script_writer.ts";
import { type Decision, World } from "./world.ts";

export interface SimulationOptions {
  readonly script: Script;
  readonly findScheduler: FindScheduler;
  /** Services to begin with; a script may make its own. */
  readonly config?: Config;
  /** Every service gets this scheduler, whatever config and script say. */
  readonly scheduler?: string;
  /** Outcomes tell what the scheduler saw; a view of each destination for each decision. */
  readonly candidates?: boolean;
  /** Told now and then how many lines of the script are done. */
  readonly progress?: (lines: number) => void;
}

/** Some 50 ms of work. */
const LINES_A_REPORT = 1_000;

/** One decision and its surroundings. */
export interface Outcome {
  readonly line: number;
  readonly atMs: number;
  readonly service: string;
  /** Who asked, as in the script. */
  readonly client: string;
  readonly decision: Decision;
  /** Destination, or the word of the refusal. */
  readonly answer: string;
  /** Destinations as they were before, newest first; empty unless asked for. */
  readonly before: readonly Candidate[];
  /** What the script expected; undefined when it did not say. */
  readonly expected?: string;
  readonly asExpected: boolean;
}

/** What the scheduler saw of a destination. */
export interface Candidate {
  readonly address: string;
  readonly weight: number;
  readonly activeConns: number;
  readonly inactiveConns: number;
  readonly overloaded: boolean;
}

/** A run of one script, one decision after the other. */
export class Simulation {
  readonly world: World;
  readonly #options: SimulationOptions;

  constructor(options: SimulationOptions) {
    const { script, findScheduler, config, scheduler } = options;
    const find: FindScheduler = (name) => findScheduler(scheduler ?? name);
    this.#options = options;
    this.world = new World({ findScheduler: find, seed: script.seed });
    if (config !== undefined) this.world.configure(config);
  }

  /**
   * @throws {ConfigError} a step cannot be done: no such service, destination, connection; names the line
   */
  *run(): Generator<Outcome> {
    const { script, progress } = this.#options;
    let lines = 0;
    for (const line of script.lines) {
      if (++lines % LINES_A_REPORT === 0) progress?.(lines);
      this.#moveTo(line.atMs);
      const outcome = this.#step(line);
      if (outcome !== undefined) yield outcome;
    }
  }

  #moveTo(atMs: number | undefined): void {
    if (atMs === undefined) return;
    if (this.#options.script.recordedClock) this.world.nowMs = atMs;
    else this.world.advance(atMs - this.world.nowMs);
  }

  #step(line: ScriptLine): Outcome | undefined {
    const { world } = this;
    const { step, expected } = line;
    try {
      const wantsCandidates = this.#options.candidates === true && "flow" in step;
      const before = wantsCandidates ? candidatesOf(world, world.flow(step.flow)) : [];
      const decision = world.apply(step);
      const wantsAnswer = decision !== undefined && "flow" in step &&
        (decision.isNew || decision.refusal !== undefined || expected !== undefined);
      if (!wantsAnswer) return undefined;
      const flow = world.flow(step.flow);
      return {
        line: line.line,
        atMs: world.nowMs,
        service: world.serviceName(decision.service),
        client: formatEndpoint({ address: new IpAddress(flow.family, flow.client), port: flow.clientPort }),
        decision,
        answer: decision.server === undefined ? decision.refusal ?? "" : formatEndpoint(decision.server),
        before,
        asExpected: expected === undefined || meets(decision, expected),
        ...(expected === undefined ? {} : { expected: formatExpectation(expected) }),
      };
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      const { file } = this.#options.script;
      throw new ConfigError([{ file, line: line.line, column: 1, path: step.verb, message: error.message }]);
    }
  }
}

/** Destinations of the service that a flow belongs to, newest first. */
export function candidatesOf({ director }: World, flow: Flow): Candidate[] {
  const service = serviceOf(director, flow);
  if (service === undefined) return [];
  return director.destinationViews(service).map((it) => ({
    address: formatEndpoint(it),
    weight: it.weight,
    activeConns: it.activeConns,
    inactiveConns: it.inactiveConns,
    overloaded: it.overloaded,
  }));
}

function meets({ server, refusal }: Decision, expected: Expectation): boolean {
  if ("refusal" in expected) return refusal !== undefined && ["refused", refusal].includes(expected.refusal);
  return server !== undefined && formatEndpoint(server) === formatEndpoint(expected.destination);
}
