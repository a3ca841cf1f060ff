/** The portable engine as it is on a runtime that hides its handles, for tests in this process and in one of its own. */
import { countDescriptors } from "../../../engines/portable/descriptors.ts";
import { NodeSockets } from "../../../engines/portable/node_sockets.ts";
import { PortableEngine } from "../../../engines/portable/portable.ts";
import { BufferPool } from "../../../engines/portable/read_buffers.ts";
import type { TcpFamilyMember } from "./tcp_setting.ts";

export const member: TcpFamilyMember = {
  name: "portable on node:net",
  makeEngine: (parts) => new PortableEngine(parts, countDescriptors(), new NodeSockets(new BufferPool())),
  module: import.meta.url,
};
