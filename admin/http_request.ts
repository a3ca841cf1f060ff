/**
 * From a message of node:http to a web-standard request.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import { errorAnswer } from "./answer.ts";

/** Answers a request; never rejects. */
export type RequestHandler = (request: Request) => Promise<Response>;

/** Reads all of it, or says why not (a body of more than `bodyBytes`). Rejects when the client goes away. */
export async function readRequest(
  incoming: IncomingMessage,
  bodyBytes: number,
): Promise<Request | Response> {
  const url = targetUrl(incoming);
  if (url === null) return errorAnswer(400, "BAD_REQUEST", `"${incoming.url}" is not a path`);
  const announced = Number(incoming.headers["content-length"] ?? 0);
  const body = announced > bodyBytes ? undefined : await readBody(incoming, bodyBytes);
  if (body === undefined) {
    return errorAnswer(413, "BODY_TOO_LARGE", `a request body may have ${bodyBytes} bytes`);
  }
  const method = incoming.method ?? "GET";
  const headers = headersOf(incoming);
  // In absolute form the target's host is the one that counts (RFC 9112 section 3.2.2), also for the check against it.
  if (!incoming.url?.startsWith("/")) headers.set("host", url.host);
  try {
    return new Request(url, { method, headers, body: body.byteLength === 0 ? null : body });
  } catch {
    return errorAnswer(
      400,
      "BAD_REQUEST",
      `${method} with this target or body is not a request lvsd can read`,
    );
  }
}

/** A path, or an absolute URL as clients send it to a proxy (and Deno's `fetch` to a Unix socket). */
function targetUrl({ url = "" }: IncomingMessage): URL | null {
  return URL.parse(url.startsWith("/") ? `http://localhost${url}` : /^https?:/i.test(url) ? url : "");
}

function headersOf(incoming: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) headers.append(name, one);
    }
  }
  return headers;
}

/**
 * The whole body, or `undefined` when it has more than `mostBytes`; the rest is then read and thrown away, as
 * an answer to somebody who still sends is lost in the reset.
 */
function readBody(
  incoming: IncomingMessage,
  mostBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer> | undefined>();
  const chunks: Uint8Array[] = [];
  let size = 0;
  incoming.on("data", (chunk: Uint8Array) => {
    size += chunk.byteLength;
    if (size <= mostBytes) chunks.push(chunk);
    else chunks.length = 0;
  });
  incoming.once("end", () => resolve(size <= mostBytes ? joined(chunks, size) : undefined));
  incoming.once("error", reject);
  incoming.once("close", () => reject(new Error("the request was cut off")));
  return promise;
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
