/**
 * Who may ask: the token, the host name check that stops DNS rebinding, and the refusal to listen openly.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { SystemError, ValueError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { errorAnswer } from "./answer.ts";

/** Paths that need no token: they tell nothing but that the process lives, and probes rarely can send one. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz"]);

/**
 * Refuses an HTTP address that anybody could use.
 *
 * @throws {SystemError} `ADMIN_TOKEN_MISSING` for an address that is not loopback without a token.
 * @throws {ValueError} `ADMIN_TOKEN_INVALID` for a token that no header can carry.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { type Endpoint, parseEndpoint } from "../net/endpoint.ts";
 *
 * assertListenAllowed(parseEndpoint("127.0.0.1:9180") as Endpoint, undefined);
 * assert.throws(() => assertListenAllowed(parseEndpoint(":9180") as Endpoint, undefined), { code: "ADMIN_TOKEN_MISSING" });
 * ```
 */
export function assertListenAllowed(listen: Endpoint, token: string | undefined): void {
  if (token === undefined) {
    if (listen.address.isLoopback) return;
    const address = formatEndpoint(listen);
    throw new SystemError(
      "ADMIN_TOKEN_MISSING",
      `admin address ${address} can be reached from other hosts and no token is set: anybody could reload and read ` +
        `the status; set admin.token, or use 127.0.0.1:${listen.port}`,
      { address },
    );
  }
  // RFC 6750 section 2.1: what stands after "Bearer " in a header.
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
    throw new ValueError(
      "ADMIN_TOKEN_INVALID",
      token === ""
        ? "admin.token is empty; set a secret (openssl rand -hex 32) or leave admin.token out"
        : "admin.token has characters that a bearer token cannot have; use letters, digits and - . _ ~ + / (openssl rand -hex 32)",
    );
  }
}

/** Lets a request in that carries `Authorization: Bearer <token>`. */
export function requireToken(token: string): MiddlewareHandler {
  const expected = digest(token);
  return async (context, next) => {
    if (OPEN_PATHS.has(context.req.path)) return await next();
    const given = /^Bearer +(\S+) *$/i.exec(context.req.header("authorization") ?? "")?.[1];
    // Digests have one length whatever was sent, so that neither the length nor a common prefix shows in the time.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return await next();
    const answer = errorAnswer(
      401,
      "UNAUTHORIZED",
      given === undefined
        ? "this address wants a token; send the header Authorization: Bearer TOKEN"
        : "the token is wrong; it is admin.token of the daemon's config",
    );
    answer.headers.set("www-authenticate", 'Bearer realm="lvsd"');
    return answer;
  };
}

/**
 * Refuses a request whose `Host` is not a name of this computer's loopback: a page of some `evil.example` that
 * resolves to 127.0.0.1 would otherwise read the status in a visitor's browser (DNS rebinding).
 */
export function requireLoopbackHost(): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header("host");
    // No browser leaves it out; HTTP/1.0 probes do.
    if (host === undefined || isLoopbackHost(host)) return await next();
    return errorAnswer(
      403,
      "HOST_NOT_ALLOWED",
      `the Host header says "${host}"; ask for 127.0.0.1, [::1] or localhost, or set admin.token`,
    );
  };
}

/** Refuses a change asked for by a web page of another origin; a tool such as curl sends neither of the two headers. */
export function refuseCrossSite(): MiddlewareHandler {
  return async (context, next) => {
    if (context.req.method === "GET" || context.req.method === "HEAD") return await next();
    const site = context.req.header("sec-fetch-site") ?? "none";
    const origin = context.req.header("origin");
    const ownOrigin = origin === undefined || originHost(origin) === context.req.header("host");
    if (ownOrigin && (site === "none" || site === "same-origin")) return await next();
    return errorAnswer(403, "CROSS_SITE", "a web page of another origin may not change anything here");
  };
}

function isLoopbackHost(header: string): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(header) ?? [];
  const name = bracketed ?? plain ?? "";
  return name.toLowerCase() === "localhost" || IpAddress.tryParse(name)?.isLoopback === true;
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
