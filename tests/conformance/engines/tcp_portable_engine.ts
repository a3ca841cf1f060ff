/** The portable engine, for tests in this process and in one of its own. */
import type { Engine } from "../../../engines/engine.ts";
import { PortableEngine } from "../../../engines/portable/portable.ts";
import type { EngineParts, TcpFamilyMember } from "./tcp_setting.ts";

export function makeEngine(parts: EngineParts): Engine {
  return new PortableEngine(parts);
}

export const PORTABLE: TcpFamilyMember = { name: "portable", makeEngine, module: import.meta.url };
