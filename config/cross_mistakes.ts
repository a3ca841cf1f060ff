/**
 * What is wrong between values that are right by themselves.
 *
 * @module
 */
import { CONFIG_RULES } from "./config_rules.ts";
import type { Mistake } from "./mistakes.ts";
import type { ReadableConfig } from "./readable.ts";
import { ruleMistakes } from "./rule_rules.ts";
import { SERVICE_RULES } from "./service_rules.ts";

/** Every mistake that the rules across values find. */
export function crossMistakes(config: ReadableConfig): Mistake[] {
  return [
    ...config.services.flatMap((service, i) =>
      SERVICE_RULES.flatMap((rule) => [...rule(service, ["services", i])])
    ),
    ...CONFIG_RULES.flatMap((rule) => [...rule(config)]),
    ...ruleMistakes(config),
  ];
}
