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
  readonly #unbound: () => readonly { readonly problem: string }[];
  readonly #refusal: () => string | undefined;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #config: Config;
  #generation = 1;
  #last: LastReload | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: {
    config: Config;
    load: () => Promise<Config>;
    /** Resolves with what else was changed, one line each; rejects when nothing was changed. */
    apply: (config: Config, plan: Plan) => Promise<readonly string[]>;
    /** Services that were told to listen and do not. */
    unbound: () => readonly { readonly problem: string }[];
    /** A reason why nothing may be changed now. */
    refusal: () => string | undefined;
    clock: Clock;
    logger: Logger;
  }) {
    this.#config = options.config;
    this.#load = options.load;
    this.#apply = options.apply;
    this.#unbound = options.unbound;
    this.#refusal = options.refusal;
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
    const outcome = await this.#attempt().catch((error) => this.#fail(error));
    this.#last = { atWallMs: this.#clock.wallMs(), ok: outcome.ok, message: outcome.message };
    if (outcome.ok) {
      this.#logger.info("reload: {message}", { message: outcome.message, changes: outcome.changes });
    } else this.#logger.error("reload: {message}", { message: outcome.message });
    return outcome;
  }

  async #attempt(): Promise<ReloadOutcome> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return refused(refusal);
    const config = await this.#load();
    const plan = planChange(this.#config, config);
    const notes = await this.#apply(config, plan);
    this.#config = config;
    this.#generation++;
    const changes = [...plan.changes.map((it) => it.text), ...notes];
    const message = changes.length === 0
      ? "nothing has changed"
      : `${changes.length} change${changes.length === 1 ? "" : "s"} applied`;
    // It is in force all the same: an address may still come.
    const unbound = this.#unbound().map((it) => `unbound, will be tried again: ${it.problem}`);
    return { ok: true, message, problems: [], changes: [...changes, ...unbound] };
  }

  /** A mistake in the file, or a director that has no room for it, is an outcome; anything else a defect. */
  #fail(error: unknown): ReloadOutcome {
    if (error instanceof LvsdError) {
      const message = this.#refusal() ?? `nothing was changed: ${reasonOf(error)}`;
      return { ...refused(message), problems: error instanceof ConfigError ? error.problems : [] };
    }
    this.#last = { atWallMs: this.#clock.wallMs(), ok: false, message: "a defect in lvsd; the log has it" };
    throw error;
  }
}

function refused(message: string): ReloadOutcome {
  return { ok: false, message, problems: [], changes: [] };
}

/** The first mistake stands for all in one line; the outcome lists them. */
function reasonOf(error: LvsdError): string {
  if (!(error instanceof ConfigError)) return error.message;
  const [first, ...more] = error.message.split("\n");
  return more.length === 0 ? first ?? "" : `${first} (and ${more.length} more)`;
}
