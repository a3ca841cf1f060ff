/**
 * What `clientAddress: transparent` needs of this host.
 *
 * @module
 */
import type { ServiceConfig } from "../config/model.ts";
import { commandLine, TRANSPARENT_PIECES } from "../net/transparent_network.ts";
import { CAPABILITY, grantCommand, hasCapability } from "./capabilities.ts";
import type { Finding } from "./finding.ts";
import type { Host } from "./host.ts";

/** Findings about one service; each missing piece with the command that makes it. */
export function* transparentChecks(host: Host, { name, clientAddress }: ServiceConfig): Iterable<Finding> {
  if (clientAddress !== "transparent") return;
  if (host.system !== "linux" || !host.hasFfi) {
    const text = "clientAddress: transparent needs the native engine: Linux and --allow-ffi";
    yield { id: "transparent-engine", effect: "stops", subject: name, text, mend: "# give deno --allow-ffi" };
    return;
  }
  if (!hasCapability(host, CAPABILITY.netAdmin) && !hasCapability(host, CAPABILITY.netRaw)) {
    const text = "clientAddress: transparent needs CAP_NET_ADMIN or CAP_NET_RAW, which this process lacks";
    const mend = grantCommand("cap_net_admin");
    yield { id: "transparent-capability", effect: "stops", subject: name, text, mend };
  }
  for (const { id, what, look, sign, setUp } of TRANSPARENT_PIECES) {
    if (host.output(look)?.includes(sign) ?? false) continue;
    const text =
      `${what}, so real servers get no further than their first answer; lvsd run --setup-network sets it up`;
    yield { id, effect: "stops", subject: name, text, mend: commandLine(setUp) };
  }
}
