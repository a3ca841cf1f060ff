/**
 * Why a listener could not be opened, in words that say what to do.
 *
 * @module
 */
import { netRefusal, permissionError, SystemError } from "../../errors.ts";
import { formatEndpoint } from "../../net/endpoint.ts";
import type { Binding } from "../engine.ts";

type Explanation = readonly [code: string, explain: (binding: Binding, where: string) => string];

/** By the code that the runtime reports. */
const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  EADDRINUSE: [
    "ADDRESS_IN_USE",
    ({ protocol, listen }, where) =>
      `${where} is taken by another program; see who: ${
        protocol === "tcp" ? "ss -ltnp" : "ss -lunp"
      } 'sport = :${listen.port}', or choose another port`,
  ],
  EADDRNOTAVAIL: ["ADDRESS_NOT_LOCAL", explainNotLocal],
  // What Deno 2.9 reports for the same.
  EINVAL: ["ADDRESS_NOT_LOCAL", explainNotLocal],
  EACCES: ["PERMISSION_DENIED", explainPermission],
  EPERM: ["PERMISSION_DENIED", explainPermission],
  EMFILE: ["DESCRIPTORS_EXHAUSTED", explainDescriptors],
  ENFILE: ["DESCRIPTORS_EXHAUSTED", explainDescriptors],
  EAFNOSUPPORT: [
    "FAMILY_UNSUPPORTED",
    (_, where) => `${where} cannot be opened: this host has no IPv6; write an IPv4 address`,
  ],
};

function explainNotLocal(_: Binding, where: string): string {
  return `${where} is not an address of this host; add it (ip address add ... dev lo) or listen on another one`;
}

function explainPermission({ listen }: Binding, where: string): string {
  return listen.port < 1_024
    ? `${where} needs a permission: ports below 1024 are for root; run as root, allow it once with ` +
      `setcap cap_net_bind_service=+ep "$(readlink -f "$(which deno)")", or choose a port from 1024`
    : `${where} is forbidden to this program; run it with --allow-net and see the host's security policy`;
}

function explainDescriptors(_: Binding, where: string): string {
  return `${where} cannot be opened: no file descriptor is left; raise the limit (ulimit -n)`;
}

/** The error for a failed bind or listen; `cause` is what the runtime threw. */
export function bindError(binding: Binding, cause: unknown): SystemError {
  const code = errorCode(cause);
  const refused = permissionError(cause);
  const where = `${binding.protocol} ${formatEndpoint(binding.listen)}`;
  const [name, explain] = refused !== undefined
    ? [refused.code, () => refused.message] as const
    : EXPLANATIONS[code] ?? ["BIND_FAILED", () => `${where} cannot be opened: ${code}`];
  return new SystemError(
    name,
    `service "${binding.name}": ${explain(binding, where)}`,
    { service: binding.name, address: formatEndpoint(binding.listen), cause: code },
    cause,
  );
}

/** @throws {SystemError} `PERMISSION_DENIED` */
export function assertListenAllowed(binding: Binding): void {
  const refused = netRefusal(formatEndpoint(binding.listen));
  if (refused !== undefined) throw bindError(binding, refused);
}

/** `EADDRINUSE` and the like: from a Node error, or from the class of a Deno one. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "UNKNOWN";
  if ("code" in error && typeof error.code === "string") return error.code;
  return CODE_OF_CLASS[error.name] ?? error.name;
}

const CODE_OF_CLASS: Readonly<Record<string, string>> = {
  AddrInUse: "EADDRINUSE",
  AddrNotAvailable: "EADDRNOTAVAIL",
  PermissionDenied: "EACCES",
  NotCapable: "EACCES",
};
