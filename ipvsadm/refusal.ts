/**
 * The tool's words for what it refuses and for what the kernel refuses.
 *
 * @module
 */
import { type DirectorError, ToolError } from "../errors.ts";
import type { CommandName } from "./grammar.ts";

/** Exit status of the tool's own refusals. */
const OWN = 2;
/** `return -1`. */
const MINUS_ONE = 255;

/** The tool's own refusal; it ends a restore. */
export function fail(message: string): ToolError {
  return new ToolError("IPVSADM_REFUSED", OWN, message);
}

/** No command, or none that there is; it ends a restore. */
export function tryHelp(): ToolError {
  return new ToolError(
    "IPVSADM_COMMAND",
    MINUS_ONE,
    "Try `ipvsadm -h' or 'ipvsadm --help' for more information.",
  );
}

type Sentences = Readonly<Partial<Record<string, string>>>;

const ANY: Sentences = {
  EPERM: "Permission denied (you must be root)",
  EINVAL: "Invalid operation.  Possibly wrong module version, address not unicast, ...",
  ENOPROTOOPT: "Protocol not available",
  ENOMEM: "Memory allocation problem",
  EOPNOTSUPP: "Operation not supported with IPv6",
  EAFNOSUPPORT: "Operation not supported with specified address family",
  EMSGSIZE: "Module is wrong version",
  // What follows are the C library's words.
  ERANGE: "Numerical result out of range",
  ENODEV: "No such device",
  EEXIST: "File exists",
  ENOENT: "No such file or directory",
  ESRCH: "No such process",
};

const NO_SERVICE = { ESRCH: "No such service" };
const NO_ENGINE = { ENOENT: "Scheduler or persistence engine not found" };
const NO_DESTINATION = { ESRCH: "Service not defined", ENOENT: "No such destination" };

const BY_COMMAND: Readonly<Partial<Record<CommandName, Sentences>>> = {
  "add-service": { EEXIST: "Service already exists", ...NO_ENGINE },
  "edit-service": { ...NO_SERVICE, ...NO_ENGINE },
  "delete-service": NO_SERVICE,
  "zero": NO_SERVICE,
  "list": NO_SERVICE,
  "add-server": { ESRCH: "Service not defined", EEXIST: "Destination already exists" },
  "edit-server": NO_DESTINATION,
  "delete-server": NO_DESTINATION,
  "start-daemon": { EEXIST: "Daemon has already run" },
  "stop-daemon": { ESRCH: "No daemon is running" },
};

/** What the tool says when the kernel answers a command with this error. */
export function kernelSentence(command: CommandName, error: DirectorError): string {
  return BY_COMMAND[command]?.[error.code] ?? ANY[error.code] ?? error.message;
}

/** What the tool says when it cannot reach the kernel at all. */
export function initFailure(reason: string): string {
  return `Can't initialize ipvs: ${reason}\n` +
    "Are you sure that IP Virtual Server is built in the kernel or as module?\n";
}

/** {@linkcode initFailure} of a user who may not. */
export const NOT_ROOT = initFailure("Permission denied (you must be root)");
