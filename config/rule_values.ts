/**
 * Values in rules as people write them: ports, marks, rates.
 *
 * @module
 */
import * as z from "zod";
import { ValueError } from "../errors.ts";
import type { MaskedMark, PortRange } from "../hooks/rule.ts";
import { integer, reading } from "./fields.ts";
import { either, list } from "./sections.ts";
import { shown } from "./shown.ts";

/**
 * One value, or a list of them that is not empty.
 *
 * @param unknown what a single word is told that is none of a closed list
 */
export function oneOrMore<Item extends z.ZodType>(
  expectation: string,
  item: Item,
  example: string,
  unknown?: (word: string) => string,
): z.ZodType<readonly z.output<Item>[], z.input<Item> | z.input<Item>[]> {
  const items = list(item, example).min(1, { error: `{key} is an empty list; write ${example}` });
  const union = z.union([item.transform((it) => [it]), items], {
    error: ({ input }) =>
      typeof input === "string" && unknown !== undefined
        ? unknown(input)
        : `{key} ${shown(input)} is not ${expectation}`,
  });
  return union as unknown as z.ZodType<
    readonly z.output<Item>[],
    z.input<Item> | z.input<Item>[]
  >;
}

/** `80`, `8000-8090`, or a list of both. */
export function ports(): z.ZodType<readonly PortRange[]> {
  const one = integer(0, 65_535).transform((port): PortRange => ({ first: port, last: port }));
  const range = z.string({ error: ({ input }) => `{key} ${shown(input)} is neither a port nor a range` })
    .transform(reading(parsePortRange)).meta({ example: "8000-8090", unit: "port range" });
  const port = either("a port such as 80, a range such as 8000-8090, or a list of them", [one, range]);
  return oneOrMore("a port such as 80, a range such as 8000-8090, or a list of them", port, "[80, 443]");
}

function parsePortRange(text: string): PortRange {
  const match = /^(\d{1,5})\s*[-:]\s*(\d{1,5})$/.exec(text);
  const single = /^\d{1,5}$/.test(text);
  const first = Number(match?.[1] ?? text);
  const last = Number(match?.[2] ?? text);
  if ((match === null && !single) || first > 65_535 || last > 65_535) {
    throw new ValueError(
      "PORTS_INVALID",
      `${shown(text)} is not a port from 0 to 65535 or a range such as 8000-8090`,
    );
  }
  if (first > last) {
    throw new ValueError("PORTS_INVALID", `${shown(text)} runs backwards; write ${last}-${first}`);
  }
  return { first, last };
}

const FULL_MASK = 0xffffffff;

/** `7`, or `0x7/0xff` with a mask. */
export function maskedMark(): z.ZodType<MaskedMark> {
  const plain = integer(0, FULL_MASK).transform((value): MaskedMark => ({ value, mask: FULL_MASK }));
  const masked = z.string({ error: ({ input }) => `{key} ${shown(input)} is not a mark` })
    .transform(reading(parseMark)).meta({ example: "0x7/0xff", unit: "mark/mask" });
  return either("a mark such as 7, or with a mask 0x7/0xff", [plain, masked]) as z.ZodType<MaskedMark>;
}

function parseMark(text: string): MaskedMark {
  const [value = NaN, mask = FULL_MASK, ...more] = text.split("/").map((it) =>
    /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(it) ? Number(it) : NaN
  );
  const isPossible = (number: number) => number >= 0 && number <= FULL_MASK;
  if (!isPossible(value) || !isPossible(mask) || more.length > 0) {
    throw new ValueError(
      "MARK_INVALID",
      `${shown(text)} is not a mark; write 7, 0x7 or with a mask 0x7/0xff`,
    );
  }
  if ((value & ~mask) !== 0) {
    throw new ValueError("MARK_INVALID", `${shown(text)}: the mark has bits that its mask does not have`);
  }
  return { value, mask };
}

/** Packets in each period. */
export interface Rate {
  readonly rate: number;
  readonly periodMs: number;
}

/** Periods, by the names that xt_limit takes: any beginning of second, minute, hour, day. */
const PERIODS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
const MOST_PER_PERIOD = 1_000_000;

/** `10/s`, `100/minute`. */
export function rate(): z.ZodType<Rate, string> {
  return z.string({
    error: ({ input }) =>
      typeof input === "number"
        ? `{key} ${input} has no period; write ${input}/s (periods: s, m, h, d)`
        : `{key} ${shown(input)} is not a rate; write for example 10/s or 100/minute`,
  }).transform(reading(parseRate)).meta({ example: "10/s", unit: "rate" });
}

function parseRate(text: string): Rate {
  const match = /^(\d{1,9})\s*\/\s*([a-z]+)$/i.exec(text);
  const word = match?.[2]?.toLowerCase() ?? "";
  const period = word === "sec" || word === "min"
    ? Object.entries(PERIODS).find(([name]) => name.startsWith(word))
    : Object.entries(PERIODS).find(([name]) => word.length > 0 && name.startsWith(word));
  const count = Number(match?.[1]);
  if (match === null || period === undefined) {
    const number = /^\d+$/.test(text) ? `; did you mean "${text}/s"?` : "";
    throw new ValueError(
      "RATE_INVALID",
      `${shown(text)} is not a rate; write for example 10/s, 100/minute, 5/hour or 1/day${number}`,
    );
  }
  if (count < 1 || count > MOST_PER_PERIOD) {
    throw new ValueError(
      "RATE_INVALID",
      `${shown(text)} is not possible; allowed: 1 to ${MOST_PER_PERIOD} in each period`,
    );
  }
  return { rate: count, periodMs: period[1] };
}
