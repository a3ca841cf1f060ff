/**
 * Reload: read, compare, apply; one at a time. A configuration that does not validate changes nothing.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { ReloadOutcome } from "../admin/source.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/model.ts";
import { type Plan, planChange } from "../config/plan.ts";
import { ConfigError, LvsdError } from "../errors.ts";

/** How the last reload went. */
export interface LastReload {
  readonly atWallMs: number;
  readonly ok: boolean;
  readonly message: string;
}

/** Runs reloads in the order they were asked for. */
export class Reloader {
  readonly #load: () => Promise<Config>;
  readonly #apply: (config: Config, plan: Plan) => Promise<readonly string[]>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #config: Config;
  #generation = 1;
  #last: LastReload | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: {
    config: Config;
    load: () => Promise<Config>;
    /** Resolves with what else was changed, one line each. */
    apply: (config: Config, plan: Plan) => Promise<readonly string[]>;
    clock: Clock;
    logger: Logger;
  }) {
    this.#config = options.config;
    this.#load = options.load;
    this.#apply = options.apply;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config;
  }

  /** 1 at the start, one more with each reload that was applied. */
  get generation(): number {
    return this.#generation;
  }

  get last(): LastReload | undefined {
    return this.#last;
  }

  /** Resolves when the new configuration is in force, or with what is wrong with it. */
  reload(): Promise<ReloadOutcome> {
    const result = this.#queue.then(() => this.#run());
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #run(): Promise<ReloadOutcome> {
    const outcome = await this.#attempt();
    this.#last = { atWallMs: this.#clock.wallMs(), ok: outcome.ok, message: outcome.message };
    if (outcome.ok) {
      this.#logger.info("reload: {message}", { message: outcome.message, changes: outcome.changes });
    } else this.#logger.error("reload: {message}", { message: outcome.message });
    return outcome;
  }

  async #attempt(): Promise<ReloadOutcome> {
    let config: Config;
    try {
      config = await this.#load();
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      const problems = error instanceof ConfigError ? error.problems : [];
      return { ok: false, message: `nothing was changed: ${reasonOf(error)}`, problems, changes: [] };
    }
    const plan = planChange(this.#config, config);
    const notes = await this.#apply(config, plan);
    this.#config = config;
    this.#generation++;
    const changes = [...plan.changes.map((it) => it.text), ...notes];
    const message = changes.length === 0
      ? "nothing has changed"
      : `${changes.length} change${changes.length === 1 ? "" : "s"} applied`;
    return { ok: true, message, problems: [], changes };
  }
}

/** The first mistake stands for all in one line; the outcome lists them. */
function reasonOf(error: LvsdError): string {
  if (!(error instanceof ConfigError)) return error.message;
  const [first, ...more] = error.message.split("\n");
  return more.length === 0 ? first ?? "" : `${first} (and ${more.length} more)`;
}
