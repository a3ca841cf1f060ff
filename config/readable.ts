/**
 * What can be made out of a config that has mistakes: every value that is right by itself. The rules across values
 * look at this, so that one run reports their mistakes beside all others.
 *
 * @module
 */
import type * as z from "zod";
import { HOOK_NAMES, type HookName } from "../hooks/hook.ts";
import { destinationSection, shortDestination, type WrittenDestination } from "./destination_schema.ts";
import type { Path } from "./positions.ts";
import { ruleSection, type WrittenRule } from "./rule_schema.ts";
import { CONFIG_SECTIONS, type WrittenConfig } from "./schema.ts";
import { serviceSection, type WrittenService } from "./service_schema.ts";

/** A service as far as it could be read. */
export interface ReadableService extends Readable<Omit<WrittenService, "destinations">> {
  /** Keys that stand in the file; the others have their defaults. */
  readonly written: ReadonlySet<string>;
  readonly destinations: readonly Readable<WrittenDestination>[];
}

/** A config as far as it could be read. */
export interface ReadableConfig {
  readonly admin: Readable<WrittenConfig["admin"]>;
  readonly rules: readonly ReadableChain[];
  readonly services: readonly ReadableService[];
}

/** A chain as far as it could be read. */
export interface ReadableChain {
  /** Of a hook in lower case, or the user's own. */
  readonly name: string;
  /** Undefined for the user's own chains. */
  readonly hook: HookName | undefined;
  /** Of the chain. */
  readonly path: Path;
  readonly policy: "accept" | "drop";
  readonly rules: readonly ReadableRule[];
}

/** A rule that is right by itself. */
export interface ReadableRule {
  readonly rule: WrittenRule;
  readonly path: Path;
}

/** Any value may be missing. */
export type Readable<Values> = { readonly [Key in keyof Values]?: Values[Key] | undefined };

/** Reads all that is right. */
export function readableConfig(plain: unknown): ReadableConfig {
  const root = mapping(plain);
  return {
    admin: readableSection(CONFIG_SECTIONS.admin, root["admin"]),
    rules: readableRules(mapping(root["rules"])),
    services: items(root["services"]).map(readableService),
  };
}

function readableRules(plain: Record<string, unknown>): ReadableChain[] {
  const ofHooks = HOOK_NAMES.map((hook): ReadableChain => {
    const written = plain[hook];
    const path = ["rules", hook];
    const policy = mapping(written)["policy"] === "drop" ? "drop" : "accept";
    if (Array.isArray(written)) return { name: hook, hook, path, policy, rules: readableList(written, path) };
    const rules = readableList(mapping(written)["chain"], [...path, "chain"]);
    return { name: hook, hook, path, policy, rules };
  });
  const own = Object.entries(mapping(plain["chains"])).map(([name, written]): ReadableChain => {
    const path = ["rules", "chains", name];
    return { name, hook: undefined, path, policy: "accept", rules: readableList(written, path) };
  });
  return [...ofHooks, ...own];
}

function readableList(plain: unknown, path: Path): ReadableRule[] {
  return items(plain).flatMap((item, i) => {
    const { success, data } = ruleSection.safeParse(item);
    return success ? [{ rule: data, path: [...path, i] }] : [];
  });
}

function readableService(plain: unknown): ReadableService {
  const { destinations: _, ...shape } = serviceSection.shape;
  return {
    ...readableShape(shape, plain),
    written: new Set(Object.keys(mapping(plain))),
    destinations: items(mapping(plain)["destinations"]).map((item) => {
      const short = shortDestination.safeParse(item);
      return short.success ? short.data : readableSection(destinationSection, item);
    }),
  };
}

function readableSection<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape, z.core.$strict>,
  plain: unknown,
): Readable<{ [Key in keyof Shape]: z.output<Shape[Key]> }> {
  return readableShape(schema.shape, plain);
}

function readableShape<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  plain: unknown,
): Readable<{ [Key in keyof Shape]: z.output<Shape[Key]> }> {
  const values: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(shape)) {
    const result = (field as z.ZodType).safeParse(mapping(plain)[key]);
    if (result.success) values[key] = result.data;
  }
  // Each value is the output of its own key's schema, which the compiler cannot follow through Object.entries.
  return values as Readable<{ [Key in keyof Shape]: z.output<Shape[Key]> }>;
}

function mapping(plain: unknown): Record<string, unknown> {
  const isMapping = typeof plain === "object" && plain !== null && !Array.isArray(plain);
  return isMapping ? plain as Record<string, unknown> : {};
}

function items(plain: unknown): readonly unknown[] {
  return Array.isArray(plain) ? plain : [];
}
