/**
 * The doctor's page for people.
 *
 * @module
 */
import { type Diagnosis, type Finding, isHealthy } from "../doctor/finding.ts";
import { alignColumns, printable } from "./table.ts";

/** A line for each service, and below it what was found with the command that mends it. */
export function diagnosisText(diagnosis: Diagnosis): string {
  const { host, services } = diagnosis;
  const rows = services.map(({ service, mode, life, reason }) =>
    [service, mode, life, reason].map((text) => ({ text: printable(text) }))
  );
  const heads = alignColumns(rows);
  const lines = [
    ...(host.length === 0 ? [] : ["this host", ...host.flatMap(findingLines)]),
    ...services.flatMap(({ findings }, i) => [heads[i] ?? "", ...findings.flatMap(findingLines)]),
  ];
  const end = isHealthy(diagnosis)
    ? "nothing is missing"
    : "something is missing; a line with $ is the command that mends it";
  return [...lines, end].map((it) => `${it}\n`).join("");
}

const MARKS: Readonly<Record<Finding["effect"], string>> = { stops: "X", emulates: "~", warns: "!" };

function findingLines({ effect, id, subject, text, on, mend }: Finding): string[] {
  const about = subject === "" ? "" : `${subject}: `;
  const where = on === undefined ? "" : `on ${on} `;
  return [
    printable(`  ${MARKS[effect]} ${id}: ${about}${text}`),
    printable(mend.startsWith("#") ? `      ${mend}` : `      ${where}$ ${mend}`),
  ];
}
