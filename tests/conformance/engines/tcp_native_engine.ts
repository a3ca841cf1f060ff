/** The native engine with one worker, for tests in this process and in one of its own. */
import { NativeEngine } from "../../../engines/native/native.ts";
import { SeededRandom } from "../../../net/random.ts";
import type { TcpFamilyMember } from "./tcp_setting.ts";

const CONNECTION_ENTRIES = 16_384;

/** The member with so many workers. */
export function nativeMember(
  workers: number,
  module: string,
  connectionEntries = CONNECTION_ENTRIES,
): TcpFamilyMember {
  return {
    name: workers === 1 ? "native" : `native, ${workers} workers`,
    makeEngine: (parts) =>
      new NativeEngine({
        ...parts,
        random: new SeededRandom(1),
        workers,
        connectionEntries,
      }),
    workers,
    seesPackets: true,
    advance: async (engine, timesMs) => {
      if (engine instanceof NativeEngine) await engine.advance(timesMs);
    },
    module,
  };
}

export const member: TcpFamilyMember = nativeMember(1, import.meta.url);
