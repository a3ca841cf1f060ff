/**
 * A real server's diagnosis: what is asked of it, by its director's config.
 *
 * @module
 */
import type { Config, PacketConfig } from "../config/model.ts";
import { IpAddress } from "../net/address.ts";
import { formatEndpoint, isNamed } from "../net/endpoint.ts";
import { Prefix } from "../net/prefix.ts";
import { backendFindings, type BackendQuestion } from "./backend_checks.ts";
import type { Diagnosis } from "./finding.ts";
import { type Host, isLocal } from "./host.ts";
import { blindness } from "./host_checks.ts";

/** Services of a director's config that have one of this host's addresses as a destination. */
export function backendQuestions({ services, packet }: Config, host: Host): BackendQuestion[] {
  const director = packet === undefined ? undefined : directorBeside(packet, host);
  return services.filter(({ destinations }) =>
    destinations.some(({ endpoint }) => !isNamed(endpoint) && isLocal(host, endpoint.address))
  ).flatMap(({ mode, protocol, listen, mark }) =>
    (mark?.listens ?? [listen]).map((it) => ({
      mode,
      protocol,
      virtualAddress: it.address,
      port: mode === "nat" ? 0 : it.port,
      ...(director === undefined ? {} : { director }),
    }))
  );
}

/** The director's own address in a network that this host is in too. */
function directorBeside({ interfaces }: PacketConfig, host: Host): IpAddress | undefined {
  const found = interfaces.flatMap((it) => it.addresses).find((text) =>
    host.addresses().some((it) => it.interface !== "lo" && Prefix.parse(text).contains(it.address))
  );
  return found === undefined ? undefined : IpAddress.parse(found.split("/")[0] ?? "");
}

/** Examines this host as a real server of each. */
export function diagnoseBackend(host: Host, questions: readonly BackendQuestion[]): Diagnosis {
  if (questions.length === 0) {
    return {
      host: [{
        id: "no-destination-here",
        effect: "stops",
        subject: "",
        text: "no destination of this config has an address of this host",
        mend: "# name the virtual address yourself: lvsd doctor --backend --vip ADDRESS --mode dr",
      }],
      services: [],
    };
  }
  return {
    host: [...blindness(host)],
    services: questions.map((question) => {
      const { mode, virtualAddress, port } = question;
      const findings = backendFindings(host, question);
      const stop = findings.find((it) => it.effect === "stops");
      return {
        service: formatEndpoint({ address: virtualAddress, port }),
        mode,
        life: stop === undefined ? "real" : "impossible",
        reason: stop === undefined ? "this host is ready as a real server" : stop.text,
        findings,
      };
    }),
  };
}
