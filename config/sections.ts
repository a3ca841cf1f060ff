/**
 * How values are put together: mappings, lists and values with two spellings, each with the message that a wrong one gets.
 *
 * @module
 */
import * as z from "zod";
import { shown } from "./shown.ts";

/** What the message of an unknown key is made from; travels as JSON in the place of zod's own message. */
export interface KeyAdvice {
  /** Keys that are allowed here. */
  readonly allowed: readonly string[];
  /** Keys that belong somewhere else, and where. */
  readonly elsewhere: Readonly<Record<string, string>>;
}

/**
 * A mapping with a closed list of keys.
 *
 * @param elsewhere keys that people look for here although they belong somewhere else, and the sentence that says so
 */
export function section<Shape extends z.ZodRawShape>(
  shape: Shape,
  elsewhere: Readonly<Record<string, string>> = {},
): z.ZodObject<Shape, z.core.$strict> {
  const advice: KeyAdvice = { allowed: Object.keys(shape), elsewhere };
  const keys = advice.allowed.slice(0, 4).join(", ") + (advice.allowed.length > 4 ? ", ..." : "");
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? JSON.stringify(advice)
        : `{key} must be a mapping (keys: ${keys}), not ${shown(issue.input)}${missingSpace(issue.input)}`,
  });
}

/** `level:debug` is one word in YAML. */
function missingSpace(input: unknown): string {
  return typeof input === "string" && /^\w+:\S/.test(input) ? "; a space is missing after the colon" : "";
}

/** Reads the advice of an unknown key's issue. */
export function keyAdvice(message: string): KeyAdvice {
  return JSON.parse(message) as KeyAdvice;
}

/** A section, or a list, that may be left out or left empty (`admin:` with every key commented out). */
export function mayBeEmpty<Schema extends z.ZodType>(schema: Schema): z.ZodPreprocess<Schema> {
  return z.preprocess((value) => value ?? undefined, schema);
}

/** A list. */
export function list<Item extends z.ZodType>(item: Item, example: string): z.ZodArray<Item> {
  return z.array(item, {
    error: ({ input }) => `{key} must be a list, not ${shown(input)}; write ${example}`,
  });
}

/**
 * A value with more than one spelling.
 *
 * @param expectation what is allowed, for a value that fits no spelling at all: `off or a mapping`
 */
export function either<const Options extends readonly [z.ZodType, ...z.ZodType[]]>(
  expectation: string,
  options: Options,
): z.ZodUnion<Options> {
  const hasOff = expectation.startsWith("off ") || expectation.endsWith(" off");
  return z.union(options, {
    error: ({ input }) => {
      const hint = hasOff && typeof input !== "object" && MEANS_OFF.has(String(input).toLowerCase())
        ? "; did you mean off?"
        : "";
      return `{key} ${shown(input)} is not ${expectation}${hint}`;
    },
  });
}

/** What people write for `off`, typos included. */
const MEANS_OFF: ReadonlySet<string> = new Set(["false", "no", "none", "never", "disabled", "of", "0"]);

/** A word that switches something off. */
export function word<Word extends string>(name: Word): z.ZodLiteral<Word> {
  return z.literal(name);
}
