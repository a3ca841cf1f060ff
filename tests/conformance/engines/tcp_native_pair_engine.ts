/** The native engine with two workers. */
import { nativeMember } from "./tcp_native_engine.ts";
import type { TcpFamilyMember } from "./tcp_setting.ts";

export const member: TcpFamilyMember = nativeMember(2, import.meta.url);
