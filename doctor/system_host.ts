/**
 * The host that the doctor runs on: /proc and /sys, and sockets for a moment.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { LIMITS } from "../limits.ts";
import { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { Prefix } from "../net/prefix.ts";
import type {
  BindOutcome,
  ConnectOutcome,
  Host,
  HostAddress,
  HostRoute,
  KnockOutcome,
  KnockQuestion,
  PortHolder,
} from "./host.ts";
import { findRoute } from "./routes.ts";
import { socketInode } from "./socket_tables.ts";
import { Wire } from "./wire.ts";

/** How a name is looked up. */
export type LookUpName = (host: string) => Promise<IpAddress | undefined>;

/** This host. */
export class SystemHost implements Host {
  readonly system: string = Deno.build.os;
  readonly #clock: Clock;
  readonly #lookUp: LookUpName;

  constructor(clock: Clock, lookUp: LookUpName) {
    this.#clock = clock;
    this.#lookUp = lookUp;
  }

  get hasFfi(): boolean {
    return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
  }

  get isBlind(): boolean {
    try {
      Deno.statSync("/proc/self/limits");
      return false;
    } catch (error) {
      return error instanceof Deno.errors.NotCapable;
    }
  }

  read(path: string): string | undefined {
    try {
      return Deno.readTextFileSync(path).trimEnd();
    } catch {
      return undefined;
    }
  }

  list(path: string): readonly string[] {
    try {
      return [...Deno.readDirSync(path)].map((it) => it.name);
    } catch {
      return [];
    }
  }

  output([program = "", ...args]: readonly string[]): string | undefined {
    try {
      const { success, stdout } = new Deno.Command(program, { args, stdin: "null", stderr: "null" })
        .outputSync();
      return success ? new TextDecoder().decode(stdout) : undefined;
    } catch {
      return undefined;
    }
  }

  addresses(): readonly HostAddress[] {
    return Deno.networkInterfaces().flatMap(({ name, address, cidr }) => {
      const parsed = IpAddress.tryParse(address);
      const prefixLength = Number(cidr?.split("/")[1]);
      return parsed === undefined ? [] : [{ interface: name, address: parsed, prefixLength }];
    });
  }

  route(to: IpAddress): HostRoute | undefined {
    if (to.isLoopback || this.addresses().some((it) => it.address.equals(to))) {
      return { interface: "lo", gateway: undefined };
    }
    return findRoute(to, this.read("/proc/net/route") ?? "", this.read("/proc/net/ipv6_route") ?? "");
  }

  tryBind(protocol: "tcp" | "udp", { address, port }: Endpoint): BindOutcome {
    const hostname = String(address);
    try {
      if (protocol === "tcp") Deno.listen({ hostname, port }).close();
      else Deno.listenDatagram({ transport: "udp", hostname, port }).close();
      return "free";
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) return "taken";
      if (error instanceof Deno.errors.AddrNotAvailable) return "not-local";
      if (error instanceof Deno.errors.PermissionDenied) return "denied";
      return "failed";
    }
  }

  holderOf(protocol: "tcp" | "udp", port: number): PortHolder | undefined {
    const tables = [protocol, `${protocol}6`].map((it) => this.read(`/proc/net/${it}`) ?? "");
    const inode = tables.map((it) => socketInode(it, protocol, port)).find((it) => it !== undefined);
    if (inode === undefined) return undefined;
    for (const pid of this.list("/proc").filter((it) => /^\d+$/.test(it))) {
      const holds = this.list(`/proc/${pid}/fd`).some((fd) =>
        linkOf(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`
      );
      if (holds) {
        return {
          pid: Number(pid),
          command: (this.read(`/proc/${pid}/cmdline`) ?? "").replaceAll("\0", " ").trim(),
        };
      }
    }
    return undefined;
  }

  async lookUp(name: string): Promise<IpAddress | undefined> {
    return await this.#patiently(this.#lookUp(name).catch(() => undefined), undefined);
  }

  tryConnect({ address, port }: Endpoint): Promise<ConnectOutcome> {
    const attempt = Deno.connect({ hostname: String(address), port }).then((connection): ConnectOutcome => {
      connection.close();
      return "answered";
    }, (error): ConnectOutcome => {
      return error instanceof Deno.errors.ConnectionRefused ? "refused" : "unreachable";
    });
    return this.#patiently<ConnectOutcome>(attempt, "silent");
  }

  tryConnectUnix(path: string): Promise<boolean> {
    const attempt = Deno.connect({ transport: "unix", path }).then((connection) => {
      connection.close();
      return true;
    }, () => false);
    return this.#patiently(attempt, false);
  }

  whoHas(link: string, address: IpAddress): readonly string[] {
    if (address.family !== 4 || !this.#mayUseWire) return [];
    using wire = Wire.open(link);
    return wire?.whoHas(address, this.#addressOn(link, address)) ?? [];
  }

  knock(question: KnockQuestion): KnockOutcome {
    const { virtual, server, route } = question;
    const hop = route.gateway ?? server;
    if (virtual.address.family !== 4 || hop.family !== 4 || !this.#mayUseWire) return "unasked";
    const own = this.#addressOn(route.interface, hop);
    using wire = own === undefined ? undefined : Wire.open(route.interface);
    if (own === undefined || wire === undefined) return "unasked";
    const [mac] = wire.whoHas(hop, own);
    return mac === undefined ? "silent" : wire.knock(question, own, mac);
  }

  /** An address of this host in the network of another one there. */
  #addressOn(link: string, neighbour: IpAddress): IpAddress | undefined {
    return this.addresses().find((it) =>
      it.interface === link && it.address.family === neighbour.family &&
      new Prefix(it.address, it.prefixLength).contains(neighbour)
    )?.address;
  }

  get #mayUseWire(): boolean {
    return this.system === "linux" && this.hasFfi;
  }

  modeOf(path: string): number | undefined {
    try {
      return (Deno.statSync(path).mode ?? 0) & 0o777;
    } catch {
      return undefined;
    }
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  #patiently<Value>(answer: Promise<Value>, late: Value): Promise<Value> {
    const waited = Promise.withResolvers<Value>();
    const timer = this.#clock.after(LIMITS.doctorWaitMs, () => waited.resolve(late));
    return Promise.race([answer, waited.promise]).finally(() => timer.cancel());
  }
}

function linkOf(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}
