/**
 * One run of ipvsadm: from words and standard input to output, messages and exit code.
 *
 * @module
 */
import { DirectorError, ToolError } from "../errors.ts";
import type { IpAddress } from "../net/address.ts";
import { listConnections } from "./connections.ts";
import type { Draft } from "./draft.ts";
import { LIST_FORMATS, type ListFormat, listServices, printedNames, versionLine } from "./list.ts";
import type { Names } from "./names.ts";
import { sameKey } from "./order.ts";
import { listOwn } from "./own_list.ts";
import { parseCommand } from "./parse.ts";
import { kernelSentence, tryHelp } from "./refusal.ts";
import { readRestored } from "./restore.ts";
import { saveServices } from "./save.ts";
import type { ServiceRow, SyncRow, Table } from "./table.ts";
import { USAGE_TEXT, VERSION_TEXT } from "./usage.ts";

/** What was typed. */
export interface ToolRequest {
  /** Without the program's name. */
  readonly words: readonly string[];
  /** For `-R`. */
  readonly stdin: string;
}

/** What comes out. */
export interface ToolAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Exit status of a listing that the kernel refused. */
const LISTING_FAILED = 1;
/** `return -1`. */
const MINUS_ONE = 255;

/**
 * Runs one command line against a table.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { NO_NAMES } from "./names.ts";
 * import type { Table } from "./table.ts";
 *
 * const timeouts = () => ({ tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 300 });
 * const table = { connectionSlots: 4_096, timeouts } as Table;
 * const answer = await runTool({ words: ["-L", "--timeout"], stdin: "" }, table, NO_NAMES);
 * assert.deepEqual(answer, { code: 0, stdout: "Timeout (tcp tcpfin udp): 900 120 300\n", stderr: "" });
 * ```
 */
export async function runTool(request: ToolRequest, table: Table, names: Names): Promise<ToolAnswer> {
  const run = new Run(table, names);
  const code = await run.whole(request);
  return { code, stdout: run.stdout, stderr: run.stderr };
}

/** A command of a restore that ends all of it. */
class End {
  readonly code: number;
  constructor(code: number) {
    this.code = code;
  }
}

class Run {
  stdout = "";
  stderr = "";
  readonly #table: Table;
  readonly #names: Names;

  constructor(table: Table, names: Names) {
    this.#table = table;
    this.#names = names;
  }

  async whole({ words, stdin }: ToolRequest): Promise<number> {
    const result = await this.#line(words, stdin);
    return result instanceof End ? result.code : result;
  }

  /** @param stdin undefined inside a restore, where there is no other one */
  async #line(words: readonly string[], stdin: string | undefined): Promise<number | End> {
    try {
      const parsed = await parseCommand(words, this.#names);
      if (parsed.kind !== "command") {
        this.stdout += parsed.kind === "help" ? VERSION_TEXT + USAGE_TEXT : VERSION_TEXT;
        return new End(0);
      }
      if (parsed.draft.command === "restore") return await this.#restore(stdin);
      return await this.#command(parsed.draft);
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      this.stderr += `${error.message}\n`;
      // The option library's refusals cost one line of a restore, the tool's own ones the rest of it.
      return error.code === "OPTION_INVALID" ? error.exitCode : new End(error.exitCode);
    }
  }

  async #restore(stdin: string | undefined): Promise<number | End> {
    if (stdin === undefined) throw tryHelp();
    let code = 0;
    for (const words of readRestored(stdin)) {
      const result = await this.#line(words, undefined);
      if (result instanceof End) return result;
      code = result;
    }
    return code;
  }

  async #command(draft: Draft): Promise<number | End> {
    const { command } = draft;
    try {
      if (command === "list") this.stdout += await this.#list(draft);
      else if (command === "save") this.stdout += await this.#save(draft);
      else await this.#change(draft);
      return 0;
    } catch (error) {
      if (!(error instanceof DirectorError)) throw error;
      this.stderr += `${kernelSentence(command, error)}\n`;
      return command === "list" ? new End(LISTING_FAILED) : MINUS_ONE;
    }
  }

  async #change(draft: Draft): Promise<void> {
    const table = this.#table;
    switch (draft.command) {
      case "add-service":
        return await table.addService(draft.service);
      case "edit-service":
        return await table.editService(draft.service);
      case "delete-service":
        return await table.deleteService(draft.key);
      case "flush":
        return await table.clear();
      case "add-server":
        return await table.addDestination(draft.key, draft.destination);
      case "edit-server":
        return await table.editDestination(draft.key, draft.destination);
      case "delete-server":
        return await table.deleteDestination(draft.key, draft.destination);
      case "set":
        return await table.setTimeouts(draft.timeouts);
      case "start-daemon":
        return await table.startSync(draft.sync);
      case "stop-daemon":
        return await table.stopSync(draft.syncState);
      case "zero":
        return await table.zero(draft.given.has("service-address") ? draft.key : undefined);
    }
  }

  async #list(draft: Draft): Promise<string> {
    const { given } = draft;
    const table = this.#table;
    const names = printedNames(given.has("numeric"), this.#names);
    if (given.has("connection")) {
      const rows = [...table.connections()];
      await askTogether(names, rows.flatMap((it) => [it.client, it.virtual, it.destination]));
      return await listConnections(rows, names, given.has("persistent-conn"));
    }
    const isOne = given.has("service-address");
    if (!isOne && given.has("timeout")) return timeoutText(table);
    if (!isOne && given.has("daemon")) return table.syncDaemons().map(syncText).join("");
    const services = table.services().filter((it) => !isOne || sameKey(it.key, draft.key));
    if (isOne && services.length === 0) throw new DirectorError("ESRCH", "no such virtual service");
    await askForServices(names, services);
    if (draft.showsOwn || draft.asJson) return await listOwn(services, { asJson: draft.asJson, names });
    const format: ListFormat = LIST_FORMATS.find((it) => given.has(it)) ?? "plain";
    const options = { format, exact: given.has("exact"), sorted: !given.has("nosort"), names };
    return (isOne ? "" : versionLine(table.connectionSlots)) + await listServices(services, options);
  }

  async #save({ given }: Draft): Promise<string> {
    const services = this.#table.services();
    const names = printedNames(given.has("numeric"), this.#names);
    await askForServices(names, services);
    return await saveServices(services, names);
  }
}

function askForServices(names: Names, services: readonly ServiceRow[]): Promise<void> {
  const ends = services.flatMap(({ key, destinations }) => ["mark" in key ? [] : [key], destinations].flat());
  return askTogether(names, ends);
}

/** Asks for all names at once: one after the other, a resolver that does not answer would cost its wait each time. */
async function askTogether(names: Names, ends: readonly { readonly address: IpAddress }[]): Promise<void> {
  const addresses = new Map(ends.map(({ address }) => [String(address), address]));
  await Promise.all([...addresses.values()].map((address) => names.hostOf(address)));
}

function timeoutText(table: Table): string {
  const { tcpSeconds, tcpFinSeconds, udpSeconds } = table.timeouts();
  return `Timeout (tcp tcpfin udp): ${tcpSeconds} ${tcpFinSeconds} ${udpSeconds}\n`;
}

function syncText(row: SyncRow): string {
  const { state, interfaceName, syncId, maxLength, group, port, ttl } = row;
  return `${state} sync daemon (mcast=${interfaceName}, syncid=${syncId}, maxlen=${maxLength}, ` +
    `group=${group}, port=${port}, ttl=${ttl})\n`;
}
