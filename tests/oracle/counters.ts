/**
 * Compares what the director counts with what the kernel counted.
 *
 * @module
 */
import type { Counters } from "./recording.ts";

/** The first difference as text, or undefined when all services, lists, weights and counters are equal. */
export function compareCounters(expected: Counters, actual: Counters): string | undefined {
  for (const [service, rows] of Object.entries(expected)) {
    const ours = actual[service];
    if (ours === undefined) return `service ${service} is missing`;
    const [kernelText, ourText] = [rowsText(rows), rowsText(ours)];
    if (kernelText !== ourText) return `${service}: kernel has ${kernelText}, lvsd has ${ourText}`;
  }
  const surplus = Object.keys(actual).find((service) => expected[service] === undefined);
  return surplus === undefined ? undefined : `service ${surplus} is one too many`;
}

/** Destinations that have more active connections here than in the kernel. */
export function tooActive(expected: Counters, actual: Counters): Set<string> {
  const destinations = new Set<string>();
  for (const [service, rows] of Object.entries(actual)) {
    for (const [destination, , active] of rows) {
      const kernel = expected[service]?.find((row) => row[0] === destination);
      if (kernel !== undefined && active > kernel[2]) destinations.add(`${service} ${destination}`);
    }
  }
  return destinations;
}

/** `server weight/active/inactive`, in list order. */
function rowsText(rows: Counters[string]): string {
  return rows.map(([server, weight, active, inactive]) => `${server} ${weight}/${active}/${inactive}`).join(
    ", ",
  ) ||
    "no destination";
}
