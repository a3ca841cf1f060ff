/**
 * Which option goes with which command and tunnel type: one walk over the tables of `grammar.ts`.
 *
 * @module
 */
import {
  type Allowance,
  COMMAND_OPTIONS,
  type CommandName,
  type OptionName,
  OPTIONS,
  TUNNEL_CHECKED,
  TUNNEL_TYPE_OPTIONS,
} from "./grammar.ts";
import type { TunnelType } from "../modes/tunnel.ts";
import { fail } from "./refusal.ts";

/** @throws {ToolError} the first violation in the order of `OPTIONS` */
export function checkCommandOptions(command: CommandName, given: ReadonlySet<OptionName>): void {
  const name = `the '${command}' command`;
  check(OPTIONS, COMMAND_OPTIONS[command], given, {
    missing: (option) => `You need to supply the '${option}' option for ${name}`,
    illegal: (option) => `Illegal '${option}' option with ${name}`,
    conflict: (option, other) => `The option '${option}' conflicts with the '${other}' option in ${name}`,
  });
}

/** @throws {ToolError} the first violation among the tunnel's options */
export function checkTunnelOptions(type: TunnelType, given: ReadonlySet<OptionName>): void {
  const name = `the '${type}' tunnel type`;
  check(TUNNEL_CHECKED, TUNNEL_TYPE_OPTIONS[type], given, {
    missing: (option) => `You need to supply the '${option}' option for ${name}`,
    illegal: (option) => `Illegal '${option}' option with ${name}`,
    conflict: (option, other) => `The option '${option}' conflicts with the '${other}' option in ${name}`,
  });
}

interface Sentences {
  missing(option: OptionName): string;
  illegal(option: OptionName): string;
  conflict(option: OptionName, other: OptionName): string;
}

function check(
  order: readonly OptionName[],
  { required = [], optional = [], oneOf = [] }: Allowance<OptionName>,
  given: ReadonlySet<OptionName>,
  sentences: Sentences,
): void {
  let first: OptionName | undefined;
  for (const option of order) {
    if (!given.has(option)) {
      if (required.includes(option)) throw fail(sentences.missing(option));
    } else if (oneOf.includes(option)) {
      if (first !== undefined) throw fail(sentences.conflict(option, first));
      first = option;
    } else if (!required.includes(option) && !optional.includes(option)) {
      throw fail(sentences.illegal(option));
    }
  }
}
