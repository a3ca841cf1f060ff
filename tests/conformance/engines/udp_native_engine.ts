/** The native engine's UDP, with any number of workers. */
import { NativeEngine } from "../../../engines/native/native.ts";
import { SeededRandom } from "../../../net/random.ts";
import { DirectorTraffic } from "./udp_director_traffic.ts";
import type { UdpFamilyMember } from "./udp_setting.ts";

const CONNECTION_ENTRIES = 4_096;

/** The member with so many workers. */
export function nativeUdp(workers: number): UdpFamilyMember {
  return {
    name: workers === 1 ? "native" : `native, ${workers} workers`,
    makeEngine: ({ director, ...parts }, descriptors) => {
      if (director === undefined) throw new Error("the native engine needs a whole director");
      const random = new SeededRandom(1);
      return new NativeEngine({
        ...parts,
        director,
        random,
        workers,
        connectionEntries: CONNECTION_ENTRIES,
        ...(descriptors && { descriptors }),
      });
    },
    makeTraffic: (wish) => new DirectorTraffic(wish),
    reportsClosedPorts: true,
    workers,
    // FFI, and what it takes to start a worker.
    permissions: { ffi: true, read: true, env: true, sys: true },
    passed: async (engine) => {
      if (engine instanceof NativeEngine) await engine.passed();
    },
    advance: async (engine, timesMs) => {
      if (engine instanceof NativeEngine) await engine.advance(timesMs);
    },
  };
}
