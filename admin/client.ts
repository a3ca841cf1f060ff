/**
 * The other end of the admin API, for commands: over the control socket of this host, or over HTTP with a token.
 *
 * node:http and not `fetch`: it gives the system's error code, so that "no daemon here" is told from "not allowed".
 *
 * @module
 */
import { type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock } from "../clock.ts";
import { DirectorError, SystemError, ValueError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { PacketWish } from "../engines/packet/packet_path.ts";
import type { Explanation } from "../simulator/explain.ts";
import type {
  PacketExplanation,
  Readiness,
  ReloadOutcome,
  RulesStatus,
  Status,
  SysctlState,
} from "./source.ts";
import { isToolAnswer, type ToolAnswer, type ToolRequest } from "./tool.ts";

/** Which daemon: by the path of its control socket, or by the URL of its admin address. */
export type ControlTarget =
  | { readonly socketPath: string }
  | { readonly url: string; readonly token?: string };

export interface ControlClientOptions {
  readonly clock: Clock;
  /** Wait for a whole answer; `LIMITS.adminAnswerWaitMs` when left out. */
  readonly waitMs?: number;
}

/** Answers to a question that is wrong: not well-formed, too long, or naming what there is not. */
const MISTAKES: ReadonlySet<number> = new Set([400, 413, 422]);

interface Answer {
  readonly status: number;
  readonly text: string;
}

/**
 * Asks a daemon. Every call makes its own connection and rejects with a {@linkcode SystemError} (`DAEMON_NOT_RUNNING`,
 * `DAEMON_NO_ANSWER`, `PERMISSION_DENIED`, `UNAUTHORIZED`, `CONTROL_ANSWER_INVALID`: nothing that is lvsd) or with a
 * {@linkcode ValueError} with the daemon's code when what was asked is at fault.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { SystemClock } from "../clock.ts";
 *
 * const client = new ControlClient({ socketPath: "/nonexistent/control.sock" }, { clock: new SystemClock() });
 * await assert.rejects(client.status(), { code: "DAEMON_NOT_RUNNING" });
 * ```
 */
export class ControlClient {
  readonly #target: ControlTarget;
  readonly #clock: Clock;
  readonly #waitMs: number;

  constructor(target: ControlTarget, options: ControlClientOptions) {
    this.#target = target;
    this.#clock = options.clock;
    this.#waitMs = options.waitMs ?? LIMITS.adminAnswerWaitMs;
  }

  async status(): Promise<Status> {
    const answer = await this.#ask("GET", "/status");
    return this.#read<Status>(
      answer,
      [200],
      (it) => Array.isArray(it.services) && typeof it.pid === "number",
    );
  }

  async readiness(): Promise<Readiness> {
    const answer = await this.#ask("GET", "/readyz");
    return this.#read<Readiness>(
      answer,
      [200, 503],
      (it) => typeof it.ready === "boolean" && Array.isArray(it.problems),
    );
  }

  /** Resolves with `ok: false` when the daemon refused the file and kept the old one. */
  async reload(): Promise<ReloadOutcome> {
    const answer = await this.#ask("POST", "/reload");
    return this.#read<ReloadOutcome>(
      answer,
      [200, 422],
      (it) => typeof it.ok === "boolean" && Array.isArray(it.problems),
    );
  }

  /** Every switch of `net.ipv4.vs.*`. */
  async sysctls(): Promise<readonly SysctlState[]> {
    const answer = await this.#ask("GET", "/sysctl");
    const fits = (it: Record<string, unknown>) => Array.isArray(it.sysctls);
    return this.#read<{ sysctls: readonly SysctlState[] }>(answer, [200], fits).sysctls;
  }

  /**
   * Sets one.
   *
   * @throws {DirectorError} `SWITCH_UNKNOWN`, `EINVAL`
   */
  async setSysctl(name: string, value: string): Promise<SysctlState> {
    const answer = await this.#ask("POST", "/sysctl", JSON.stringify({ name, value }));
    if (answer.status === 404 || answer.status === 422) {
      const { code, message } = errorOf(answer) ?? {};
      if (code !== undefined && message !== undefined) {
        throw new DirectorError(code, message, { name, value });
      }
    }
    return this.#read<SysctlState>(answer, [200], (it) => typeof it.name === "string");
  }

  async rules(): Promise<RulesStatus> {
    return this.#read<RulesStatus>(await this.#ask("GET", "/rules"), [200], (it) => Array.isArray(it.chains));
  }

  /** Resolves with the counters as they were before they began at 0. */
  async zeroRules(): Promise<RulesStatus> {
    const answer = await this.#ask("POST", "/rules/zero");
    return this.#read<RulesStatus>(answer, [200], (it) => Array.isArray(it.chains));
  }

  /** The flight recorder as a script. */
  async record(): Promise<string> {
    const answer = await this.#ask("GET", "/record");
    if (answer.status === 200) return answer.text;
    return this.#read<never>(answer, [], () => false);
  }

  /** @throws {ValueError} with the daemon's code when it cannot make sense of the flow */
  async explain(flow: string): Promise<Explanation> {
    const answer = await this.#ask("GET", `/explain?${new URLSearchParams({ flow })}`);
    return this.#read<Explanation>(answer, [200], (it) => Array.isArray(it.destinations));
  }

  /** The same with the packet's way. @throws {ValueError} as {@linkcode explain} */
  async explainPacket(flow: string, wish: PacketWish): Promise<PacketExplanation> {
    const words = Object.entries(wish).map(([name, value]) => [name, String(value)]);
    const query = new URLSearchParams([["flow", flow], ...words]);
    const answer = await this.#ask("GET", `/explain/packet?${query}`);
    return this.#read<PacketExplanation>(answer, [200], (it) => typeof it.path === "object");
  }

  /** One command of ipvsadm; what it changed is in force when the answer is there. */
  async tool(request: ToolRequest): Promise<ToolAnswer> {
    // A restore answers when its last line is in force.
    const waitMs = this.#waitMs + request.stdin.split("\n").length * LIMITS.restoredLineWaitMs;
    const answer = await this.#ask("POST", "/ipvsadm", JSON.stringify(request), waitMs);
    return this.#read<ToolAnswer>(answer, [200], isToolAnswer);
  }

  /** Text of a view of `/proc/net`. */
  async proc(view: string): Promise<string> {
    const answer = await this.#ask("GET", `/proc/${view}`);
    if (answer.status === 200) return answer.text;
    return this.#read(answer, [], () => false);
  }

  /** For people: the socket's path or the URL. */
  get name(): string {
    return "url" in this.#target ? this.#target.url : this.#target.socketPath;
  }

  #read<T>(
    answer: Answer,
    statuses: readonly number[],
    fits: (value: Record<string, unknown>) => boolean,
  ): T {
    const value = parseObject(answer.text);
    if (value !== undefined && statuses.includes(answer.status) && fits(value)) return value as T;
    const error = errorOf(answer);
    if (error === undefined) {
      throw new SystemError(
        "CONTROL_ANSWER_INVALID",
        `${this.name} answered with status ${answer.status} and something that is not lvsd's; check the address`,
        { target: this.name, status: answer.status },
      );
    }
    // The daemon is well, and what it was asked is at fault.
    if (MISTAKES.has(answer.status)) throw new ValueError(error.code, error.message);
    const hint = answer.status === 401 ? " (set LVSD_TOKEN)" : "";
    throw new SystemError(error.code, `${this.name}: ${error.message}${hint}`, { target: this.name });
  }

  #ask(method: string, path: string, body?: string, waitMs = this.#waitMs): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const request = this.#request(method, path);
    const deadline = this.#clock.after(waitMs, () => {
      request.destroy();
      reject(this.#noAnswer(`no answer within ${waitMs} ms`));
    });
    request.once("response", (incoming: IncomingMessage) => {
      readText(incoming).then((text) => resolve({ status: incoming.statusCode ?? 0, text }), (error) => {
        request.destroy();
        reject(this.#noAnswer(error instanceof Error ? error.message : String(error)));
      });
    });
    request.once("error", (error: Error & { code?: string }) => reject(this.#connectError(error)));
    if (body !== undefined) request.setHeader("content-type", "application/json");
    request.end(body);
    return promise.finally(() => deadline.cancel());
  }

  #request(method: string, path: string): ReturnType<typeof httpRequest> {
    // No agent: a command asks once, and a kept connection would keep it from ending.
    const options: RequestOptions = { method, agent: false, headers: { host: "localhost" } };
    if ("socketPath" in this.#target) {
      return httpRequest({ ...options, socketPath: this.#target.socketPath, path });
    }
    const url = adminUrl(this.#target.url, path);
    const headers: Record<string, string> = { host: url.host };
    if (this.#target.token !== undefined) headers.authorization = `Bearer ${this.#target.token}`;
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    return send(url, { ...options, headers });
  }

  #connectError(error: Error & { code?: string }): Error {
    const fields = { target: this.name, reason: error.code ?? error.message };
    if (error.code === "EACCES" || error.code === "EPERM") {
      return new SystemError(
        "PERMISSION_DENIED",
        `no permission to use the control socket ${this.name}; run this as the user that runs lvsd, or as root`,
        fields,
        error,
      );
    }
    if (error.code !== "ENOENT" && error.code !== "ECONNREFUSED") return this.#noAnswer(error.message, error);
    const way = "url" in this.#target
      ? "start it with admin.listen set to this address, or give another --url"
      : "start one with lvsd run -c FILE, or set LVSD_SOCKET to its socket";
    return new SystemError(
      "DAEMON_NOT_RUNNING",
      `no lvsd is listening at ${this.name}; ${way}`,
      fields,
      error,
    );
  }

  #noAnswer(why: string, cause?: Error): SystemError {
    return new SystemError(
      "DAEMON_NO_ANSWER",
      `lvsd at ${this.name} does not answer: ${why}; look at the daemon's log`,
      { target: this.name },
      cause,
    );
  }
}

/**
 * The admin address may be written with or without a trailing slash, and lie under a path of a reverse proxy.
 *
 * @throws {ValueError} `URL_INVALID`
 */
export function adminUrl(text: string, path: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new ValueError(
      "URL_INVALID",
      `"${text}" is not a URL of an admin address; write http://127.0.0.1:9180`,
      {
        value: text,
      },
    );
  }
  const [place = "", query = ""] = path.split("?", 2);
  url.pathname = url.pathname.replace(/\/$/, "") + place;
  url.search = query;
  return url;
}

function errorOf({ text }: Answer): { readonly code: string; readonly message: string } | undefined {
  const error = parseObject(text)?.error as { code?: unknown; message?: unknown } | undefined;
  if (typeof error?.code !== "string" || typeof error.message !== "string") return undefined;
  return { code: error.code, message: error.message };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
  } catch {
    return undefined;
  }
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const decoder = new TextDecoder();
  const parts: string[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > LIMITS.adminAnswerBytes) {
      throw new Error(`an answer of more than ${LIMITS.adminAnswerBytes} bytes`);
    }
    parts.push(decoder.decode(chunk, { stream: true }));
  }
  return parts.join("") + decoder.decode();
}
