/** The real director behind the UDP conformance suite. */
import { Director } from "../../../director/director.ts";
import { Store } from "../../../director/store.ts";
import type { TrafficEntrance } from "../../../director/verdict.ts";
import { IpAddress } from "../../../net/address.ts";
import { PROTOCOL } from "../../../net/flow.ts";
import { SeededRandom } from "../../../net/random.ts";
import { findScheduler } from "../../../schedulers/registry.ts";
import type { TestTraffic, TrafficCounts, TrafficWish } from "./udp_traffic.ts";

export class DirectorTraffic implements TestTraffic {
  readonly service: number;
  readonly director: Director;

  constructor({ onePacket, workers, expired }: TrafficWish) {
    this.director = new Director({
      store: Store.create({
        shared: workers > 0,
        capacities: { services: 4, destinations: 16, workers: 1 + workers },
      }),
      random: new SeededRandom(1),
      findScheduler,
      connectionEntries: 4_096,
      onExpire: expired,
    });
    const key = { protocol: PROTOCOL.udp, address: IpAddress.parse("192.0.2.1"), port: 53 };
    this.service = this.director.addService({ key, scheduler: "rr", onePacket }, 0);
  }

  get entrance(): TrafficEntrance {
    return this.director;
  }

  get entries(): number {
    return this.director.connectionCount;
  }

  get counts(): TrafficCounts {
    const { inPackets, inBytes, outPackets, outBytes } = this.director.serviceView(this.service).statistics;
    return { inPackets, inBytes, outPackets, outBytes };
  }

  addDestination(host: string, port: number): number {
    const address = IpAddress.parse(host);
    const spec = { address, port, method: "nat", weight: 1, allowMixedFamilies: true } as const;
    return this.director.addDestination(this.service, spec, 0);
  }

  removeDestination(destination: number): void {
    this.director.deleteDestination(destination, 0);
  }

  advance(nowMs: number): void {
    this.director.advance(nowMs);
  }
}
