/**
 * The table of docs/sysctl.md, made from the director's table of switches.
 *
 * @module
 */
import { KERNEL_SYSCTL_NAMES, sysctlDefault } from "../director/sysctl_text.ts";
import { ABSENT_SWITCHES, type SwitchEffect, SWITCHES } from "../director/switches.ts";

const EFFECTS: Readonly<Record<SwitchEffect, string>> = {
  all: "every engine",
  packets: "engines that see packets",
  none: "none",
};

/** Markdown: one row for each switch of the kernel, and the ones of other kernels. */
export function sysctlReference(): string {
  const rows = KERNEL_SYSCTL_NAMES.map((name) => {
    const { meaning, effect, note } = SWITCHES[name];
    return [`\`${name}\``, sysctlDefault(name).replace("\t", " "), EFFECTS[effect], meaning, note];
  });
  const absent = Object.entries(ABSENT_SWITCHES).map(([name, why]) => [`\`${name}\``, why]);
  return [
    ...table([["switch", "default", "acts in", "what it does", "here"], ...rows]),
    "",
    "Switches of other kernels, which lvsd does not have:",
    "",
    ...table([["switch", "why"], ...absent]),
    "",
  ].join("\n");
}

/** Columns in line, as the formatter wants them. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  const line = (row: readonly string[]) => `| ${row.map((it, i) => it.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [rows[0] ?? [], widths.map((width) => "-".repeat(width)), ...rows.slice(1)].map(line);
}
