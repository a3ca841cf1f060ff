/** The portable engine, for tests in this process and in one of its own. */
import { PortableEngine } from "../../../engines/portable/portable.ts";
import type { TcpFamilyMember } from "./tcp_setting.ts";

export const member: TcpFamilyMember = {
  name: "portable",
  makeEngine: (parts) => new PortableEngine(parts),
  module: import.meta.url,
};
