/**
 * The kinds of values that a config file holds, each with the message that a wrong one gets.
 *
 * A message may say `{key}`: the reader of the mistakes (`mistakes.ts`) puts the key's name there.
 *
 * @module
 */
import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { Prefix } from "../net/prefix.ts";
import { DURATION_PATTERN, formatDuration, missingUnit, parseDuration } from "./duration.ts";
import { LvsdError } from "../errors.ts";
import { suggestion } from "./nearest.ts";
import { shown } from "./shown.ts";

/** A transform that turns a thrown `LvsdError`, or a message that it returns, into an issue. */
export function reading<Input, Output>(
  read: (input: Input) => Output,
): (input: Input, context: z.RefinementCtx<Input>) => Output {
  return (input, context) => {
    try {
      return read(input);
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      context.addIssue({ code: "custom", message: `{key} ${error.message}` });
      return z.NEVER;
    }
  };
}

/** Text. A number or `true` in its place was most likely meant as text and needs quotes. */
export function text(example: string): z.ZodString {
  return z.string({ error: ({ input }) => notText(input, example) }).min(1, {
    error: `{key} is empty; write for example ${example}`,
  }).meta({ example });
}

/** What is wrong with something that stands where text is wanted. */
export function notText(input: unknown, example: string): string {
  const isScalar = typeof input === "number" || typeof input === "boolean";
  if (isScalar) return `{key} ${input} is a ${typeof input}; to make it text put it in quotes: "${input}"`;
  return `{key} must be text, not ${shown(input)}; write for example ${example}`;
}

/** Whole numbers from `least` to `most`. */
export function integer(least: number, most: number): z.ZodInt {
  const allowed = `allowed: whole numbers from ${least} to ${most}`;
  const error = ({ input }: { input?: unknown }) => `{key} ${shown(input)} is not possible; ${allowed}`;
  const notNumber = ({ input }: { input?: unknown }) => {
    if (typeof input === "string" && /^-?\d+$/.test(input)) {
      return `{key} ${shown(input)} is text; write the number without quotes: ${input}`;
    }
    // A whole number that is too large for a number of JavaScript to be exact.
    return Number.isInteger(input)
      ? error({ input })
      : `{key} ${shown(input)} is not a whole number; ${allowed}`;
  };
  return z.int({ error: notNumber, abort: true }).min(least, { error }).max(most, { error });
}

/** `true` or `false`. */
export function flag(): z.ZodBoolean {
  return z.boolean({
    error: ({ input }) => {
      const word = typeof input === "object" ? "" : String(input).toLowerCase();
      const wish = ["yes", "on", "1", "y"].includes(word)
        ? "true"
        : ["no", "off", "0", "n"].includes(word)
        ? "false"
        : undefined;
      const hint = wish === undefined ? "" : `; did you mean ${wish}?`;
      return `{key} ${shown(input)} is neither true nor false${hint}`;
    },
  });
}

/** One of a closed list of names. `what` is the word in the message: `unknown scheduler "wcl"`. */
export function choice<Name extends string>(what: string, names: readonly Name[]): z.ZodType<Name, Name> {
  return z.enum(names, {
    error: ({ input }) => {
      const hint = typeof input === "string" ? suggestion(input, names) : "";
      return `unknown ${what} ${shown(input)}; allowed: ${names.join(", ")}${hint}`;
    },
  });
}

const LONGEST_TIMER = formatDuration(LIMITS.timerMs);

/** Time spans; `wholeSeconds` where LVS itself counts in seconds. Output: milliseconds. */
export function duration(
  { least, most = LONGEST_TIMER, wholeSeconds = false }: {
    least: string;
    most?: string;
    wholeSeconds?: boolean;
  },
): z.ZodType<number, string> {
  const [leastMs, mostMs] = [parseDuration(least), parseDuration(most)];
  const wrongType = ({ input }: { input?: unknown }) =>
    typeof input === "number"
      ? `{key} ${missingUnit(input)}`
      : `{key} ${shown(input)} is not a duration; write one number and a unit: 500ms, 30s, 5m, 2h or 1d`;
  return z.string({ error: wrongType }).transform((written, context) => {
    const ms = reading(parseDuration)(written, context);
    if (typeof ms !== "number") return z.NEVER;
    const refuse = (why: string) => context.addIssue({ code: "custom", message: `{key} ${why}` });
    if (ms < leastMs) refuse(`${written} is too short; allowed: ${least} to ${most}`);
    else if (ms > mostMs) refuse(`${written} is too long; allowed: ${least} to ${most}`);
    else if (wholeSeconds && ms % 1_000 !== 0) {
      refuse(`${written} is not a whole number of seconds, in which LVS counts this; write ${roundUp(ms)}`);
    }
    return ms;
  }).meta({ pattern: DURATION_PATTERN, unit: "duration", example: "30s" });
}

/** `10.0.0.0/8` or one address. */
export function prefix(): z.ZodType<Prefix, string> {
  return text("10.0.0.0/8").transform(reading(Prefix.parse)).meta({
    unit: "address prefix",
    example: "10.0.0.0/8",
  });
}

/** A JavaScript regular expression. */
export function pattern(example: string): z.ZodType<RegExp, string> {
  return text(example).transform((source, context) => {
    try {
      return new RegExp(source);
    } catch (error) {
      const reason = error instanceof SyntaxError ? error.message.split(": ").at(-1) : String(error);
      context.addIssue({
        code: "custom",
        message: `{key} ${shown(source)} is not a regular expression: ${reason}`,
      });
      return z.NEVER;
    }
  }).meta({ format: "regex", unit: "regular expression", example });
}

/** Text without line ends and other controls, as it goes into a header, a log line or a table. */
export function oneLine(example: string, mostCharacters = 255): z.ZodType<string, string> {
  return text(example).max(mostCharacters, { error: `{key} is longer than ${mostCharacters} characters` })
    .refine((it) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(it), {
      error: ({ input }) => `{key} ${shown(input)} has a line end or another control character in it`,
    });
}

/** A bearer token. Its messages never show it. */
export function secret(example: string): z.ZodType<string, string> {
  return z.string({ error: `{key} must be text in quotes, for example ${example}` })
    .regex(/^[\x21-\x7e]+$/, { error: "{key} must be 1 to 4096 visible ASCII characters without spaces" })
    .max(4_096, { error: "{key} is longer than 4096 characters" })
    .meta({ example: example.replaceAll('"', "") });
}

/** Path of a Unix socket. */
export function socketPath(): z.ZodType<string, string> {
  return oneLine("/run/lvsd/control.sock").refine(
    (it) => new TextEncoder().encode(it).length <= LIMITS.socketPathBytes,
    { error: `{key} is too long; a socket path has at most ${LIMITS.socketPathBytes} bytes` },
  );
}

function roundUp(ms: number): string {
  return formatDuration(Math.ceil(ms / 1_000) * 1_000);
}
