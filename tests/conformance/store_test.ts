/** One suite on both kinds of memory: a director behaves the same on an `ArrayBuffer` and a `SharedArrayBuffer`. */
import { type MakeDirector, makeDirector, MEMORIES } from "../unit/director/testbed.ts";
import { defenceCases } from "./store/defence.ts";
import { destinationCases } from "./store/destinations.ts";
import { openingCases } from "./store/opening.ts";
import { persistenceCases } from "./store/persistence.ts";
import { serviceCases } from "./store/services.ts";
import { sipCases } from "./store/sip.ts";
import { statisticsCases } from "./store/statistics.ts";
import { strayCases } from "./store/strays.ts";
import { thresholdCases } from "./store/thresholds.ts";
import { trashCases } from "./store/trash.ts";

const suites = {
  services: serviceCases,
  destinations: destinationCases,
  opening: openingCases,
  persistence: persistenceCases,
  thresholds: thresholdCases,
  trash: trashCases,
  statistics: statisticsCases,
  defence: defenceCases,
  strays: strayCases,
  sip: sipCases,
};

for (const { shared, on } of MEMORIES) {
  const make: MakeDirector = (options) => makeDirector({ ...options, shared });
  for (const [suite, cases] of Object.entries(suites)) {
    for (const [name, run] of Object.entries(cases)) {
      Deno.test(`store on ${on}: ${suite}: ${name}`, () => run(make));
    }
  }
}
