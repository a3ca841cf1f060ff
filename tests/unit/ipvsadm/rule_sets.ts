/** Rule sets by chance, as commands of the tool, and a table to run them against. */
import fc from "fast-check";
import { Director } from "../../../director/director.ts";
import { Store } from "../../../director/store.ts";
import { DirectorTable } from "../../../ipvsadm/director_table.ts";
import { FileNames } from "../../../ipvsadm/names.ts";
import { runTool, type ToolAnswer } from "../../../ipvsadm/tool.ts";
import { SeededRandom } from "../../../net/random.ts";
import { findScheduler, SCHEDULER_NAMES } from "../../../schedulers/registry.ts";

/** Names of a small host. */
export const NAMES = new FileNames("10.2.0.1 rs1.example.net rs1\n", "http 80/tcp\ndomain 53/udp\n");

/** A tool over a director of its own. */
export class ToolBench {
  readonly director = new Director({
    store: Store.create({ capacities: { services: 64, destinations: 256, schedulerCells: 1 << 22 } }),
    random: new SeededRandom(1),
    findScheduler,
  });
  readonly table = new DirectorTable({
    director: this.director,
    nowMs: () => 0,
    interfaces: () => [{ name: "eth0", mtu: 1_500 }],
  });

  /** One command, words divided by blanks. */
  run(line: string, stdin = ""): Promise<ToolAnswer> {
    return runTool({ words: line.split(" ").filter((it) => it !== ""), stdin }, this.table, NAMES);
  }
}

// Within 2^31 of each other: farther apart the tool's sort depends on the order in which they were added.
const ipv4 = fc.tuple(fc.integer({ min: 1, max: 126 }), fc.nat(255), fc.nat(255), fc.nat(255))
  .map((it) => it.join("."));
const ipv6 = fc.tuple(fc.nat(0xffff), fc.nat(0x7fff), fc.nat(0xffff))
  .map((it) => `[fd00:${it.map((word) => word.toString(16)).join(":")}::1]`);
const port = fc.integer({ min: 1, max: 65_535 });
/** Marks above 2^31 are printed as negative numbers, which the tool does not read back. */
const mark = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const weight = fc.oneof(fc.nat(100), fc.integer({ min: 0, max: 2 ** 31 - 1 }));

/** A service without its options, whether it is IPv6, and whether it may be one-packet. */
const service = fc.oneof(
  fc.record({
    text: fc.tuple(fc.constantFrom("-t", "--sctp-service"), ipv4, port).map(([o, a, p]) => `${o} ${a}:${p}`),
    ipv6: fc.constant(false),
    ops: fc.constant(false),
  }),
  fc.record({
    text: fc.tuple(ipv4, port).map(([a, p]) => `-u ${a}:${p}`),
    ipv6: fc.constant(false),
    ops: fc.boolean(),
  }),
  fc.record({
    text: fc.tuple(fc.constantFrom("-t", "-u"), ipv6, port).map(([o, a, p]) => `${o} ${a}:${p}`),
    ipv6: fc.constant(true),
    ops: fc.constant(false),
  }),
  fc.record({ text: mark.map((it) => `-f ${it}`), ipv6: fc.constant(false), ops: fc.boolean() }),
  fc.record({ text: mark.map((it) => `-f ${it} -6`), ipv6: fc.constant(true), ops: fc.boolean() }),
);
const scheduler = fc.constantFrom(...SCHEDULER_NAMES).chain((name) =>
  fc.constantFrom(
    `-s ${name}`,
    `-s ${name} -b flag-1`,
    ...(name === "sh" || name === "mh" ? [`-s ${name} -b ${name}-port,${name}-fallback`] : []),
  )
);
const tunnel = fc.oneof(
  fc.constantFrom("-i", "-i --tun-type ipip", "-i --tun-type gre --tun-csum", "-i --tun-type gre"),
  fc.tuple(port, fc.constantFrom("", " --tun-csum", " --tun-nocsum", " --tun-remcsum"))
    .map(([at, sum]) => `-i --tun-type gue --tun-port ${at}${sum}`),
);
const method = fc.oneof(fc.constantFrom("-m", "-g", ""), tunnel);

/** Commands that make a table: services with destinations. Two that collide are refused, which is fine. */
export const ruleSet = fc.array(
  service.chain((it) =>
    fc.record({
      options: fc.tuple(scheduler, persistence(it.ipv6)).map((options) => options.join(" ")),
      destinations: fc.array(fc.tuple(it.ipv6 ? ipv6 : ipv4, port, method, weight), { maxLength: 5 }),
    }).map(({ options, destinations }) => [
      `-A ${it.text} ${options}${it.ops ? " -o" : ""}`,
      ...destinations.map(([host, at, way, share]) => `-a ${it.text} -r ${host}:${at} ${way} -w ${share}`),
    ])
  ),
  { maxLength: 12 },
).map((services) => services.flat());

function persistence(isIpv6: boolean): fc.Arbitrary<string> {
  const mask = isIpv6
    ? fc.integer({ min: 1, max: 128 }).map((it) => ` -M ${it}`)
    : fc.constantFrom(" -M 255.255.255.0", " -M 255.0.255.0", " -M 0.0.0.0");
  const time = fc.integer({ min: 1, max: 2_678_400 });
  return fc.oneof(
    fc.constant(""),
    fc.tuple(time, fc.oneof(fc.constant(""), mask), fc.constantFrom("", " --pe sip"))
      .map(([seconds, of, engine]) => `-p ${seconds}${of}${engine}`),
  );
}
