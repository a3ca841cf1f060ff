/**
 * The check that a web server answers, over HTTP or HTTPS.
 *
 * It speaks HTTP/1.1 itself instead of using `fetch`: a check must dial exactly the destination's address while `Host` and SNI
 * name the service (`fetch` takes both from the URL), accept any certificate for one destination only (Deno's switch is
 * for the whole process), open a new connection each time (a pooled one proves nothing about new clients), follow no redirect,
 * and read a bounded number of bytes. The reader for that is smaller than the proof that `fetch` does it all.
 *
 * @module
 */
import { ValueError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { AnswerReader } from "./answer_reader.ts";
import type { Check, CheckResult, CheckStream, Dialer } from "./check.ts";
import { excerpt } from "./excerpt.ts";
import { type HttpHead, readBody, readHead } from "./http_answer.ts";

/** Status codes from one to another, both included. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** What is asked and what must come back. */
export interface HttpCheckOptions {
  readonly type: "http" | "https";
  readonly method: string;
  readonly path: string;
  /** `Host` header, and SNI unless `serverName` is given; default: the destination's address, and no SNI. */
  readonly host?: string;
  /** More headers; they replace lvsd's own of the same name, except `Connection`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly status: readonly StatusRange[];
  /** Searched in the first `LIMITS.healthAnswerBytes` of the body, read as UTF-8. */
  readonly body?: RegExp;
  /** Check the certificate (https). */
  readonly verify: boolean;
  readonly serverName?: string;
}

/** One request on a connection of its own; up when the status is accepted and the body matches. */
export class HttpCheck implements Check {
  readonly type: "http" | "https";
  readonly #options: HttpCheckOptions;

  /** @throws {ValueError} `HEALTH_CHECK_INVALID` when method, path or a header would break the request */
  constructor(options: HttpCheckOptions) {
    this.type = options.type;
    this.#options = options;
    refuseBrokenRequest(options);
  }

  async run(target: Endpoint, dialer: Dialer, signal: AbortSignal): Promise<CheckResult> {
    using stream = await this.#connect(target, dialer, signal);
    await stream.write(requestBytes(this.#options, target));
    const reader = new AnswerReader(stream);
    const head = await readHead(reader);
    const seen = `HTTP ${head.status}${head.phrase === "" ? "" : ` ${head.phrase}`}`;
    const { status, body, method } = this.#options;
    if (!status.some(({ from, to }) => from <= head.status && head.status <= to)) {
      return {
        up: false,
        reason: "status",
        detail: `${excerpt(seen)}${whereTo(head)}, not ${rangesText(status)}`,
      };
    }
    if (body === undefined) return { up: true, detail: seen };
    const bytes = await readBody(reader, head, method);
    // search() looks from the start, whatever flags and lastIndex the expression has.
    if (new TextDecoder().decode(bytes).search(body) >= 0) {
      return { up: true, detail: `${seen}, body matches` };
    }
    return { up: false, reason: "body", detail: `body ${excerpt(bytes)} does not match ${body}` };
  }

  #connect(target: Endpoint, dialer: Dialer, signal: AbortSignal): Promise<CheckStream> {
    if (this.type === "http") return dialer.connectTcp(target, signal);
    const { verify } = this.#options;
    const serverName = this.#options.serverName ?? hostNameOf(this.#options.host);
    const alpn = ["http/1.1"];
    return dialer.connectTls(
      target,
      serverName === undefined ? { verify, alpn } : { verify, alpn, serverName },
      signal,
    );
  }
}

function requestBytes(options: HttpCheckOptions, target: Endpoint): Uint8Array {
  const fields = new Map([
    ["host", ["Host", options.host ?? authorityOf(target, options.type)]],
    ["user-agent", ["User-Agent", "lvsd-health-check"]],
    ["accept", ["Accept", "*/*"]],
  ]);
  for (const [name, value] of Object.entries(options.headers)) fields.set(name.toLowerCase(), [name, value]);
  fields.set("connection", ["Connection", "close"]);
  const lines = [...fields.values()].map(([name, value]) => `${name}: ${value}\r\n`);
  return new TextEncoder().encode(`${options.method} ${options.path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

/** The default port is left out, as browsers do: some servers choose their site by the exact `Host`. */
function authorityOf(target: Endpoint, type: "http" | "https"): string {
  const text = formatEndpoint(target);
  const suffix = type === "http" ? ":80" : ":443";
  return text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
}

/** The name in `app.example:8443`; an address is no name for SNI (RFC 6066 section 3). */
function hostNameOf(host: string | undefined): string | undefined {
  if (host === undefined || host.startsWith("[")) return undefined;
  const name = host.replace(/:\d+$/, "");
  return IpAddress.tryParse(name) === undefined ? name : undefined;
}

function whereTo(head: HttpHead): string {
  const location = head.fields.get("location");
  return location === undefined ? "" : ` to ${excerpt(location)}`;
}

function rangesText(ranges: readonly StatusRange[]): string {
  return ranges.map(({ from, to }) => from === to ? `${from}` : `${from}-${to}`).join(", ");
}

// A line break in any of these would let a configuration value write headers, or a second request, of its own.
function refuseBrokenRequest({ method, path, host, headers }: HttpCheckOptions): void {
  const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
  const wrong: [what: string, value: string, ok: boolean, wanted: string][] = [
    ["method", method, token.test(method), "write a word such as GET"],
    ["path", path, /^[/*][\x21-\x7e]*$/.test(path), "begin with / and escape spaces as %20"],
    ["host", host ?? "", /^[\x21-\x7e]*$/.test(host ?? ""), "write a name or address, with :port if need be"],
    ...Object.entries(headers).flatMap(([name, value]): typeof wrong => [
      ["header name", name, token.test(name), "write a name such as X-Probe"],
      [`header ${name}`, value, isOneLine(value), "write it on one line, without control characters"],
    ]),
  ];
  const [first] = wrong.filter(([, , ok]) => !ok);
  if (first === undefined) return;
  const [what, value, , wanted] = first;
  throw new ValueError(
    "HEALTH_CHECK_INVALID",
    `health check: ${what} ${excerpt(value)} breaks the request; ${wanted}`,
    {
      what,
      value,
    },
  );
}

function isOneLine(text: string): boolean {
  return [...text].every((it) => it === "\t" || (it >= " " && it !== "\x7f"));
}
