/**
 * Stream servers that behave as told.
 *
 * @module
 */
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { type Family, IpAddress } from "../../../net/address.ts";
import { LOOPBACK, type ServerUnderTest } from "./behaviour.ts";

const FIXTURES = new URL("../../fixtures/healthcheck/", import.meta.url);
export const CERTIFICATE: string = Deno.readTextFileSync(new URL("certificate.pem", FIXTURES));
export const KEY: string = Deno.readTextFileSync(new URL("key.pem", FIXTURES));

type Serve = (socket: net.Socket) => void;

/** Listens and hands each connection to `serve`. */
export async function listenTcp(family: Family, serve: Serve): Promise<ServerUnderTest> {
  return await listening(net.createServer({ allowHalfOpen: true }), "connection", family, serve);
}

/** The same behind TLS, with the certificate of app.test. */
export async function listenTls(family: Family, serve: Serve): Promise<ServerUnderTest> {
  const server = tls.createServer({ cert: CERTIFICATE, key: KEY, ALPNProtocols: ["http/1.1"] });
  return await listening(server, "secureConnection", family, serve);
}

/** A port that nobody listens on. */
export async function closedPort(family: Family): Promise<ServerUnderTest> {
  const server = await listenTcp(family, () => {});
  await server[Symbol.asyncDispose]();
  return { endpoint: server.endpoint, open: () => 0, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** A listener whose accept queue is full: further connects get no answer at all (Linux drops the SYN). */
export async function fullListener(family: Family): Promise<ServerUnderTest> {
  const hostname = LOOPBACK[family];
  const listener = Deno.listen({ hostname, port: 0, tcpBacklog: 1 });
  const port = (listener.addr as Deno.NetAddr).port;
  // The queue takes backlog + 1 connections.
  const filling = [await Deno.connect({ hostname, port }), await Deno.connect({ hostname, port })];
  return {
    endpoint: { address: IpAddress.parse(hostname), port },
    open: () => 0,
    [Symbol.asyncDispose]: () => {
      for (const connection of filling) connection.close();
      listener.close();
      return Promise.resolve();
    },
  };
}

/** Answers the first bytes it gets, once. */
export function answering(answer: string | Uint8Array): Serve {
  return (socket) => void socket.once("data", () => socket.write(answer));
}

/** Says `first` and then `again` for as long as the other side listens. */
export function endless(first: string, again: Uint8Array): Serve {
  return (socket) => {
    const pump = () => {
      while (!socket.destroyed && socket.write(again));
    };
    socket.once("data", () => {
      socket.write(first);
      pump();
    });
    socket.on("drain", pump);
  };
}

export function silent(): void {}

export function resetting(socket: net.Socket): void {
  socket.resetAndDestroy();
}

export function resettingWhenAsked(socket: net.Socket): void {
  socket.once("data", () => socket.resetAndDestroy());
}

export function closing(socket: net.Socket): void {
  socket.end();
}

export function closingWhenAsked(socket: net.Socket): void {
  socket.once("data", () => socket.end());
}

/** Bytes of no protocol, no line end among them, from the start; then the end. */
export function babbling(socket: net.Socket): void {
  socket.end(new Uint8Array(5_000).fill(0xfe));
}

async function listening(
  server: net.Server,
  event: "connection" | "secureConnection",
  family: Family,
  serve: Serve,
): Promise<ServerUnderTest> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {}); // the check hangs up as it likes
  });
  server.on("tlsClientError", () => {});
  server.on(event, (socket: net.Socket) => {
    socket.on("error", () => {});
    // Reads on, so that the end of the connection is noticed.
    socket.on("end", () => socket.destroy());
    socket.resume();
    serve(socket);
  });
  server.listen(0, LOOPBACK[family]);
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  return {
    endpoint: { address: IpAddress.parse(LOOPBACK[family]), port },
    open: () => sockets.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
