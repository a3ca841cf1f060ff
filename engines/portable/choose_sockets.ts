/**
 * Which TCP sockets this runtime has for the portable engine.
 *
 * @module
 */
import process from "node:process";
import { findHandles } from "./handle_binding.ts";
import { HandleSockets } from "./handle_sockets.ts";
import { NodeSockets } from "./node_sockets.ts";
import { BufferPool } from "./read_buffers.ts";
import type { TcpSockets } from "./tcp_socket.ts";

/**
 * The runtime's own handles, or node:net where they are missing or look different.
 *
 * @param runtime who is asked for them
 */
export function chooseTcpSockets(runtime: object = process): TcpSockets {
  const handles = findHandles(runtime);
  const pool = new BufferPool();
  return handles === undefined ? new NodeSockets(pool) : new HandleSockets(handles, pool);
}
