/**
 * Where commands of ipvsadm are handed in: runs them against the daemon's table and keeps the state file.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import { EXIT, LvsdError } from "../errors.ts";
import { type Names, NO_NAMES } from "../ipvsadm/names.ts";
import { PROC_VIEWS, procText } from "../ipvsadm/proc.ts";
import type { SyncRule } from "../ipvsadm/rules.ts";
import { exactCommands } from "../ipvsadm/save.ts";
import type { Table } from "../ipvsadm/table.ts";
import { runTool, type ToolAnswer, type ToolRequest } from "../ipvsadm/tool.ts";
import { readState, writeState } from "./state_file.ts";
import type { Turns } from "./turns.ts";

/** A table whose changes are counted, and what else of it outlives a restart. */
export interface KeptTable extends Table {
  /** Changes so far: tells whether there is something to save. */
  readonly changes: number;
  /** `--set` was used. */
  readonly timeoutsSet: boolean;
  readonly syncRules: readonly SyncRule[];
  /** Services that forward nothing, and why. */
  readonly unserved: readonly { readonly service: string; readonly reason: string }[];
}

export interface ToolDeskOptions {
  readonly table: KeptTable;
  readonly turns: Turns;
  readonly logger: Logger;
  readonly names: () => Promise<Names>;
  /** Resolves when every worker has seen the changes made before. */
  readonly passed: () => Promise<void>;
  /** Path of the state file; undefined keeps nothing. */
  readonly stateFile: string | undefined;
}

/** One daemon's desk. */
export class ToolDesk {
  readonly #table: KeptTable;
  readonly #turns: Turns;
  readonly #logger: Logger;
  readonly #names: () => Promise<Names>;
  readonly #passed: () => Promise<void>;
  readonly #stateFile: string | undefined;
  /** Changes that are in the state file. */
  #saved = 0;

  constructor({ table, turns, logger, names, passed, stateFile }: ToolDeskOptions) {
    this.#table = table;
    this.#turns = turns;
    this.#logger = logger;
    this.#names = names;
    this.#passed = passed;
    this.#stateFile = stateFile;
  }

  /**
   * Runs one command line. When the answer comes, what it changed is in force in every worker, and in the state file or
   * refused there.
   */
  async run(request: ToolRequest): Promise<ToolAnswer> {
    const before = this.#table.changes;
    const answer = await runTool(request, this.#table, await this.#names());
    if (this.#table.changes === before) return answer;
    this.#logger.info("ipvsadm {words}: exit code {code}", {
      words: request.words.join(" "),
      code: answer.code,
    });
    const [problem] = await Promise.all([this.#save(), this.#passed()]);
    if (problem === undefined) return answer;
    const stderr = `${answer.stderr}lvsd: in force, but lost with the next restart: ${problem}\n`;
    return { ...answer, code: answer.code || EXIT.failed, stderr };
  }

  /** Services that forward nothing, and why. */
  get unserved(): KeptTable["unserved"] {
    return this.#table.unserved;
  }

  /** Text of `/proc/net/NAME`, undefined when there is no such view. */
  proc(name: string): string | undefined {
    const view = PROC_VIEWS.find((it) => it === name);
    return view === undefined ? undefined : procText(view, this.#table);
  }

  /**
   * Makes again what the state file has. A rule that the configuration file has come to contradict is left out.
   *
   * @throws {SystemError} `STATE_DAMAGED`, `STATE_UNREADABLE`
   */
  async restore(): Promise<void> {
    if (this.#stateFile === undefined) return;
    for (const line of await readState(this.#stateFile)) {
      const words = line.split(" ");
      const { code, stderr } = await runTool({ words, stdin: "" }, this.#table, NO_NAMES);
      if (code === 0) continue;
      this.#logger.warn("a rule of the state file was left out: {rule}: {reason}", {
        rule: line,
        reason: stderr.trim(),
      });
    }
    this.#saved = this.#table.changes;
  }

  /** What could not be written stays in force; the next change tries again. */
  async #save(): Promise<string | undefined> {
    const path = this.#stateFile;
    if (path === undefined) return undefined;
    try {
      await this.#turns.run(async () => {
        const { changes } = this.#table;
        // Somebody else's turn may have saved ours too.
        if (this.#saved === changes) return;
        await writeState(path, await this.#commands());
        this.#saved = changes;
      });
      return undefined;
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      this.#logger.error("{problem}", { problem: error.message });
      return error.message;
    }
  }

  async #commands(): Promise<string[]> {
    // Backwards, for what is made last stands first.
    const own = this.#table.services().filter((it) => it.note?.owner === "ipvsadm").toReversed();
    const lines = await Promise.all(own.map(exactCommands));
    const { tcpSeconds, tcpFinSeconds, udpSeconds } = this.#table.timeouts();
    return [
      ...lines.flat(),
      ...(this.#table.timeoutsSet ? [`--set ${tcpSeconds} ${tcpFinSeconds} ${udpSeconds}`] : []),
      ...this.#table.syncRules.map(syncCommand),
    ];
  }
}

function syncCommand({ state, interfaceName, syncId, maxLength, group, port, ttl }: SyncRule): string {
  return [
    `--start-daemon ${state} --mcast-interface ${interfaceName} --syncid ${syncId}`,
    ...(maxLength === 0 ? [] : [`--sync-maxlen ${maxLength}`]),
    ...(group === undefined ? [] : [`--mcast-group ${group}`]),
    ...(port === 0 ? [] : [`--mcast-port ${port}`]),
    ...(ttl === 0 ? [] : [`--mcast-ttl ${ttl}`]),
  ].join(" ");
}
