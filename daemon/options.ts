/**
 * What a daemon is made of.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { ReloadOutcome } from "../admin/source.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/model.ts";
import type { ThreadStock } from "../engines/native/thread_stock.ts";
import type { Dialer } from "../healthcheck/check.ts";
import type { Random } from "../net/random.ts";
import type { LocalAddresses } from "./own_listeners.ts";
import type { LookUpName } from "./resolver.ts";

/** Everything that touches the outside is passed in. */
export interface DaemonOptions {
  readonly config: Config;
  /** Reads the configuration again; rejects with `ConfigError` or `SystemError`. */
  readonly load: () => Promise<Config>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly version: string;
  readonly dialer: Dialer;
  readonly lookUpName: LookUpName;
  readonly localAddresses: LocalAddresses;
  /** For the native engine's workers. */
  readonly threads?: ThreadStock | undefined;
  /** Where changes made by ipvsadm are kept across restarts; undefined keeps them nowhere. */
  readonly stateFile?: string | undefined;
  /** Called before each reload without, after it with what came of it. */
  readonly onReload?: (outcome?: ReloadOutcome) => void;
  /** Log settings changed at a reload. */
  readonly onLogConfig?: (config: Config["log"]) => Promise<void>;
  /** Log records lost so far. */
  readonly logDropped?: () => number;
}
