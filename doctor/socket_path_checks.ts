/**
 * Whether the other end of a hand-over or of a tunnel socket is there.
 *
 * @module
 */
import type { DestinationConfig } from "../config/model.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import type { Finding } from "./finding.ts";
import type { Host } from "./host.ts";

/** What is in the way of a destination's own path. */
export async function socketPathChecks(
  host: Host,
  { handOver, tunnelTo }: DestinationConfig,
  endpoint: Endpoint,
  subject: string,
): Promise<Finding[]> {
  if (handOver !== undefined) return await receiverChecks(host, handOver, endpoint, subject);
  return tunnelTo === undefined ? [] : await tunnelChecks(host, tunnelTo, endpoint, subject);
}

async function receiverChecks(
  host: Host,
  path: string,
  endpoint: Endpoint,
  subject: string,
): Promise<Finding[]> {
  if (!host.hasFfi) {
    return [
      stop(
        "hand-over-ffi",
        subject,
        "handing sockets over needs FFI",
        "# run deno with --allow-ffi, on Linux",
      ),
    ];
  }
  if (await host.tryConnectUnix(path)) return [];
  return [stop(
    "receiver-missing",
    subject,
    `no receiver listens on ${path}, or this process may not connect to it`,
    `lvsd realserver --receive ${path} --to ${formatEndpoint(endpoint)} &`,
  )];
}

async function tunnelChecks(
  host: Host,
  { port, keyFile }: NonNullable<DestinationConfig["tunnelTo"]>,
  { address, port: serverPort }: Endpoint,
  subject: string,
): Promise<Finding[]> {
  const mode = host.modeOf(keyFile);
  const findings: Finding[] = [];
  if (mode === undefined) {
    const make = `(umask 077 && openssl rand -hex 32 > ${keyFile})`;
    findings.push(
      stop("key-missing", subject, `there is no key ${keyFile}; the peer needs the same one`, make),
    );
  } else if ((mode & 0o077) !== 0) {
    findings.push(
      stop(
        "key-open",
        subject,
        `the key ${keyFile} can be read by others, so it is refused`,
        `chmod 600 ${keyFile}`,
      ),
    );
  }
  const outcome = await host.tryConnect({ address, port });
  if (outcome === "answered") return findings;
  const peer = formatEndpoint({ address, port });
  const text = `the tunnel's peer ${peer} ${outcome === "refused" ? "refuses" : "does not answer"}`;
  return [
    ...findings,
    {
      ...stop(
        "tunnel-peer",
        subject,
        text,
        `lvsd realserver --tunnel ${peer} --key-file ${keyFile} --to ${
          formatEndpoint({ address, port: serverPort })
        } &`,
      ),
      on: String(address),
    },
  ];
}

function stop(id: string, subject: string, text: string, mend: string): Finding {
  return { id, effect: "stops", subject, text, mend };
}
