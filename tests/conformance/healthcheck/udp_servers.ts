/**
 * Datagram servers that behave as told.
 *
 * @module
 */
import dgram from "node:dgram";
import { once } from "node:events";
import { type Family, IpAddress } from "../../../net/address.ts";
import { LOOPBACK, type ServerUnderTest } from "./behaviour.ts";

/** Gets every datagram, with a way to answer it. */
type Serve = (answer: (bytes: Uint8Array) => void, from: dgram.RemoteInfo) => void;

export async function listenUdp(family: Family, serve: Serve): Promise<ServerUnderTest> {
  const socket = dgram.createSocket(family === 4 ? "udp4" : "udp6");
  socket.on("message", (_, from) => {
    serve((bytes) => socket.send(bytes, from.port, from.address, () => {}), from);
  });
  socket.bind(0, LOOPBACK[family]);
  await once(socket, "listening");
  return {
    endpoint: { address: IpAddress.parse(LOOPBACK[family]), port: socket.address().port },
    open: () => 0,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}

/** A port that nobody is bound to. */
export async function closedUdpPort(family: Family): Promise<ServerUnderTest> {
  const server = await listenUdp(family, () => {});
  await server[Symbol.asyncDispose]();
  return { ...server, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Answers from a port of its own instead of the one that was asked. */
export async function answeringFromElsewhere(family: Family, bytes: Uint8Array): Promise<ServerUnderTest> {
  const other = dgram.createSocket(family === 4 ? "udp4" : "udp6");
  other.bind(0, LOOPBACK[family]);
  await once(other, "listening");
  const server = await listenUdp(family, (_, from) => other.send(bytes, from.port, from.address));
  return {
    ...server,
    [Symbol.asyncDispose]: async () => {
      other.close();
      await once(other, "close");
      await server[Symbol.asyncDispose]();
    },
  };
}
