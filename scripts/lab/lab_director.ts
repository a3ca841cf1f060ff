/**
 * The lab's director: the packet engine over services that are given as ipvsadm commands, a line each on standard input; what
 * the tool answers goes to standard output, a JSON text a line.
 *
 * @module
 */
import { Director } from "../../director/director.ts";
import { Store } from "../../director/store.ts";
import { PacketEngine } from "../../engines/packet/packet_engine.ts";
import { DirectorTable } from "../../ipvsadm/director_table.ts";
import { NO_NAMES } from "../../ipvsadm/names.ts";
import { runTool } from "../../ipvsadm/tool.ts";
import { IpAddress } from "../../net/address.ts";
import { SeededRandom } from "../../net/random.ts";
import { LIMITS } from "../../limits.ts";
import { findScheduler } from "../../schedulers/registry.ts";
import { ADDRESS } from "./topology.ts";

const CAPACITIES = { services: 64, destinations: 256, persistenceTemplates: 4_096, schedulerCells: 1 << 18 };

async function main(): Promise<void> {
  const store = Store.create({ shared: true, capacities: { ...CAPACITIES, workers: 2 } });
  const random = new SeededRandom(Date.now() >>> 0);
  const director = new Director({ store, random, findScheduler });
  const nowMs = () => performance.now();
  const table = new DirectorTable({ director, nowMs, interfaces: () => [] });
  const engine = new PacketEngine({
    store,
    workerIndex: 1,
    random,
    activeConns: () => 0,
    attachConnections: (memory) => director.attachConnections(1, memory),
    recover: (memory) => director.recoverWorker(1, memory).connections,
    trouble: (_, message) => say({ trouble: message }),
    wiring: {
      interfaces: [
        { name: "d0", addresses: ["10.1.0.1/24", "fd00:1::1/64"] },
        { name: "d1", addresses: [`${ADDRESS.director4}/24`, `${ADDRESS.director6}/64`] },
      ],
      routes: [],
      virtualAddresses: [],
    },
  });
  for (const address of [ADDRESS.virtual4, ADDRESS.virtual6]) {
    await engine.open({
      service: 0,
      name: address,
      protocol: "tcp",
      listen: { address: IpAddress.parse(address), port: 0 },
      options: {
        connectTimeoutMs: 0,
        retries: 0,
        sendProxy: "none",
        acceptProxyFrom: [],
        onePacket: false,
        maxSessions: 0,
      },
    });
  }
  const timer = setInterval(() => director.advance(nowMs()), LIMITS.directorTickMs);
  say({ ready: true });
  for await (const line of lines()) {
    if (line === "counts") {
      say({ counts: await engine.counts() });
      continue;
    }
    const [, sysctl, value] = /^sysctl (\w+)=(\d+)$/.exec(line) ?? [];
    if (sysctl !== undefined) {
      (director.sysctl as Record<string, number>)[sysctl] = Number(value);
      say({ code: 0 });
      continue;
    }
    say(await runTool({ words: line.split(" ").filter((it) => it !== ""), stdin: "" }, table, NO_NAMES));
  }
  clearInterval(timer);
  await engine.stop();
}

function say(value: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
}

async function* lines(): AsyncGenerator<string> {
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((it) => it !== "");
  }
}

await main();
