/**
 * The director under test on the captures' network.
 *
 * @module
 */
import { Director } from "../../director/director.ts";
import { Store } from "../../director/store.ts";
import type { SysctlName } from "../../director/sysctl.ts";
import type { Link } from "../../engines/packet/links.ts";
import { PacketDirector } from "../../engines/packet/packet_director.ts";
import { HEADROOM_BYTES } from "../../engines/packet/passage.ts";
import { PRIORITY } from "../../hooks/hook.ts";
import { Hooks } from "../../hooks/hooks.ts";
import type { Rule } from "../../hooks/rule.ts";
import { RuleSet } from "../../hooks/rule_set.ts";
import { DirectorTable } from "../../ipvsadm/director_table.ts";
import { NO_NAMES } from "../../ipvsadm/names.ts";
import { runTool } from "../../ipvsadm/tool.ts";
import { SeededRandom } from "../../net/random.ts";
import { IP_PROTOCOL } from "../../packet/transport.ts";
import { findScheduler } from "../../schedulers/registry.ts";
import type { SentFrame } from "./capture_align.ts";
import { compareListing } from "./listing_compare.ts";
import { labAddresses, labLinks, labNeighbours } from "./capture_lab.ts";
import type { MarkedPort } from "./capture_marks.ts";
import type { CaptureStep } from "./capture_recording.ts";

/** Not 0, so that nothing is mistaken for "never". */
const START_MS = 1_000_000;
/** Room for a service of every scheduler at once: the tables of lblc, lblcr, mh and sh are large. */
const CAPACITIES = { services: 64, destinations: 512, persistenceTemplates: 4_096, schedulerCells: 1 << 21 };
const CONNECTION_ENTRIES = 8_192;
const ETHERNET_BYTES = 14;

/** The director, its wire and its clock. */
export class CaptureWorld {
  readonly sent: SentFrame[] = [];
  readonly #director: Director;
  readonly #packets: PacketDirector;
  readonly #hooks = new Hooks();
  readonly #links: Link[] = labLinks();
  readonly #table: DirectorTable;
  readonly #beginSeconds: number;
  #nowMs = START_MS;

  /**
   * @param listeners TCP ports on which the director's host itself listens
   * @param marks ports whose packets have a mark
   * @param upMs for how long the director has been running: its estimator reads the counters every 2 s from then on
   */
  constructor(
    beginSeconds: number,
    listeners: ReadonlySet<number>,
    upMs: number,
    marks: readonly MarkedPort[],
  ) {
    this.#mark(marks);
    this.#beginSeconds = beginSeconds;
    this.#director = new Director({
      store: Store.create({ capacities: CAPACITIES }),
      random: new SeededRandom(1),
      // The recorded kernel was built without twos.
      findScheduler: (name) => name === "twos" ? undefined : findScheduler(name),
      connectionEntries: CONNECTION_ENTRIES,
      isBypassed: (flow) => this.#packets.isElsewhere(flow),
    });
    this.#director.advance(START_MS - upMs);
    this.#table = new DirectorTable({
      director: this.#director,
      nowMs: () => this.#nowMs,
      interfaces: () => this.#links,
    });
    this.#packets = new PacketDirector({
      director: this.#director,
      hooks: this.#hooks,
      random: new SeededRandom(2),
      emit: (link, bytes, from, to) =>
        this.sent.push({ link: link.name, seconds: this.#seconds, bytes: bytes.slice(from, to) }),
      host: {
        takes: ({ protocol, destinationPort }) =>
          protocol === IP_PROTOCOL.tcp && listeners.has(destinationPort),
      },
    });
    this.#packets.configure(this.#links, labAddresses(this.#links));
    for (const { link, address, mac } of labNeighbours(this.#links)) {
      this.#packets.neighbours.setPermanent(link, address.family, address.words, mac);
    }
  }

  get #seconds(): number {
    return this.#beginSeconds + (this.#nowMs - START_MS) / 1_000;
  }

  /** Lets time pass, in steps of the kernel's clock tick, so that timers fire when they are due. */
  advanceTo(seconds: number): void {
    const untilMs = START_MS + (seconds - this.#beginSeconds) * 1_000;
    for (;;) {
      const nextMs = Math.min(untilMs, this.#packets.neighbours.nextMs);
      if (nextMs > this.#nowMs) this.#nowMs = nextMs;
      this.#director.advance(this.#nowMs);
      this.#packets.advance(this.#nowMs);
      if (nextMs >= untilMs) return;
    }
  }

  receive(link: string, bytes: Uint8Array): void {
    const index = this.#links.find((it) => it.name === link)?.index ?? 0;
    const buffer = new Uint8Array(HEADROOM_BYTES + bytes.length);
    buffer.set(bytes, HEADROOM_BYTES);
    this.#packets.receive(index, buffer, HEADROOM_BYTES, buffer.length, this.#nowMs);
  }

  sendFromHost(frame: Uint8Array): void {
    const buffer = new Uint8Array(HEADROOM_BYTES + frame.length - ETHERNET_BYTES);
    buffer.set(frame.subarray(ETHERNET_BYTES), HEADROOM_BYTES);
    this.#packets.sendFromHost(buffer, HEADROOM_BYTES, buffer.length, this.#nowMs);
  }

  /** Does to the director what a step did; how its exit code or its output differs, if at all. */
  async take({ step, rc = 0, out = "" }: CaptureStep): Promise<string | undefined> {
    const words = step.split(/\s+/).filter((it) => it !== "");
    const [program, ...rest] = words;
    if (program === "ipvsadm") return await this.#tool(rest, rc, out);
    if (program === "sysctl") return this.#sysctl(rest.join(""));
    const [, name, mtu] = /^director (\w+) mtu (\d+)$/.exec(step) ?? [];
    const link = this.#links.find((it) => it.name === name);
    if (link !== undefined) link.mtu = Number(mtu);
    return undefined;
  }

  async #tool(words: readonly string[], rc: number, out: string): Promise<string | undefined> {
    const answer = await runTool({ words, stdin: "" }, this.#table, NO_NAMES);
    // The tool itself died of a signal: ipvsadm 1.31 does of some data of a persistence engine.
    if (rc < 0) return undefined;
    const command = `ipvsadm ${words.join(" ")}`;
    if (answer.code !== rc) return `${command}: exit code ${answer.code}, recorded ${rc}: ${answer.stderr}`;
    const difference = compareListing(answer.stdout, out);
    return difference === undefined ? undefined : `${command}: ${difference}`;
  }

  #mark(marks: readonly MarkedPort[]): void {
    if (marks.length === 0) return;
    const rules = marks.map(({ protocol, port, mark }): Rule => ({
      match: { protocols: [protocol], destinationPorts: [{ first: port, last: port }] },
      target: { kind: "mark", mark: { value: mark, mask: 0xffff_ffff } },
    }));
    const base = { hook: "prerouting", priority: PRIORITY.mangle, policy: "accept" } as const;
    this.#hooks.setRules(
      new RuleSet({
        chains: [{ name: "marks", base, rules }],
        names: { services: [], interfaces: [] },
        random: new SeededRandom(3),
        connections: { count: () => 0 },
        onLog: () => {},
      }),
    );
  }

  #sysctl(assignment: string): string | undefined {
    const [, name, value] = /net[./]ipv4[./]vs[./](\w+)=(-?\d+)$/.exec(assignment) ?? [];
    // Switches of the host itself are as the lab has them.
    if (name === undefined) return undefined;
    if (!(name in this.#director.sysctl)) {
      return `sysctl ${assignment}: there is no such switch`;
    }
    this.#director.sysctl[name as SysctlName] = Number(value);
    return undefined;
  }
}
