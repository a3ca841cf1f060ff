/**
 * `/sysctl`: the switches of `net.ipv4.vs.*`, listed and set.
 *
 * @module
 */
import type { Hono } from "hono";
import { suggestion } from "../config/nearest.ts";
import {
  bareSysctlName,
  KERNEL_SYSCTL_NAMES,
  kernelSysctlName,
  SYSCTL_PREFIX,
  whySysctlIsAbsent,
} from "../director/sysctl_text.ts";
import { LvsdError } from "../errors.ts";
import { errorAnswer } from "./answer.ts";
import type { StatusSource } from "./source.ts";

/** Adds the route. A `POST` has the body `{"name": "drop_entry", "value": "1"}`. */
export function addSysctlRoute(app: Hono, source: StatusSource): void {
  app.get("/sysctl", (context) => context.json({ sysctls: source.sysctls() }));
  app.post("/sysctl", async (context) => {
    const body = await context.req.json().catch(() => undefined) as
      | { name?: unknown; value?: unknown }
      | null;
    const { name: text, value } = body ?? {};
    if (typeof text !== "string" || (typeof value !== "string" && typeof value !== "number")) {
      return errorAnswer(400, "BAD_REQUEST", 'the body must be {"name": "drop_entry", "value": "1"}');
    }
    const name = kernelSysctlName(text);
    if (name === undefined) return errorAnswer(404, "SWITCH_UNKNOWN", unknownSwitch(text));
    try {
      return context.json(source.setSysctl(name, `${value}`));
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      return errorAnswer(422, error.code, error.message);
    }
  });
}

/** Says that there is no such switch, why, and which one may be meant. */
export function unknownSwitch(text: string): string {
  const name = bareSysctlName(text);
  const why = whySysctlIsAbsent(name);
  const rest = why === undefined ? suggestion(name, KERNEL_SYSCTL_NAMES) : `: it ${why}`;
  return `there is no switch ${SYSCTL_PREFIX}${name}${rest}`;
}
