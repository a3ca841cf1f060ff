/**
 * A strict reader of Prometheus' text format 0.0.4, and the rules of `promtool check metrics` for names and units.
 */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with its comment lines and samples. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: Sample[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s;
/** A value ends at the first quote that no backslash escapes. */
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/sy;
const ESCAPES: Readonly<Record<string, string>> = { "\\\\": "\\", '\\"': '"', "\\n": "\n" };

/** Reads a scrape; throws on anything that the format does not allow. */
export function parseExposition(text: string): MetricFamily[] {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, MetricFamily>();
  let help: { name: string; text: string } | undefined;
  let current: MetricFamily | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const [, word, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/s.exec(line) ?? [];
    if (word === "HELP") help = { name, text: unescape(rest) };
    else if (word === "TYPE") {
      if (help?.name !== name) throw new Error(`${name} has no HELP before its TYPE`);
      if (families.has(name)) throw new Error(`${name} comes twice`);
      current = { name, help: help.text, type: rest, samples: [] };
      families.set(name, current);
    } else if (line !== "") addSample(line, current);
  }
  return [...families.values()];
}

function addSample(line: string, family: MetricFamily | undefined): void {
  const match = SAMPLE.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const [, name, labelText = "", valueText = ""] = match;
  if (family === undefined || name !== family.name) throw new Error(`${name} stands under ${family?.name}`);
  const value = Number(valueText);
  if (!Number.isFinite(value)) throw new Error(`not a number: ${line}`);
  const labels = parseLabels(labelText);
  const key = JSON.stringify(Object.entries(labels).sort());
  if (family.samples.some((it) => JSON.stringify(Object.entries(it.labels).sort()) === key)) {
    throw new Error(`a series comes twice: ${line}`);
  }
  family.samples.push({ labels, value });
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`not a list of labels: ${text}`);
    const [, name = "", value = ""] = match;
    if (name in labels) throw new Error(`label ${name} comes twice`);
    labels[name] = unescape(value);
    at = LABEL.lastIndex;
  }
  return labels;
}

function unescape(text: string): string {
  return text.replace(/\\./gs, (pair) => {
    const plain = ESCAPES[pair];
    if (plain === undefined) throw new Error(`the format has no escape ${pair}`);
    return plain;
  });
}

const ABBREVIATED_UNITS = [
  "s",
  "ms",
  "us",
  "ns",
  "sec",
  "secs",
  "b",
  "kb",
  "mb",
  "gb",
  "tb",
  "pb",
  "m",
  "h",
  "d",
];
const NON_BASE_UNITS = [
  ...["milliseconds", "microseconds", "nanoseconds", "minutes", "hours", "days", "weeks"],
  ...[
    "bits",
    "kilobytes",
    "kibibytes",
    "megabytes",
    "mebibytes",
    "gigabytes",
    "gibibytes",
    "percent",
    "percents",
  ],
];
const TYPE_WORDS = ["counter", "gauge", "histogram", "summary", "untyped"];
const RESERVED_SUFFIX = /_(bucket|count|sum)$/;

/** What promtool's linter would say about a family; one line per breach. */
export function lint({ name, help, type, samples }: MetricFamily): string[] {
  const words = name.split("_");
  const breaches: string[] = [];
  const check = (isFine: boolean, breach: string) => {
    if (!isFine) breaches.push(`${name}: ${breach}`);
  };
  check(help !== "", "no help text");
  check(type === "counter" || type === "gauge", `type ${type}`);
  check(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name), "not snake_case, or has a colon");
  check(type !== "counter" || name.endsWith("_total"), "a counter ends in _total");
  check(type === "counter" || !name.endsWith("_total"), "only a counter ends in _total");
  check(!RESERVED_SUFFIX.test(name), "the ending belongs to histograms and summaries");
  check(!words.some((word) => TYPE_WORDS.includes(word)), "its type is part of its name");
  check(!words.some((word) => ABBREVIATED_UNITS.includes(word)), "an abbreviated unit");
  check(!words.some((word) => NON_BASE_UNITS.includes(word)), "not a base unit");
  for (const label of new Set(samples.flatMap((sample) => Object.keys(sample.labels)))) {
    check(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(label), `label ${label} is not snake_case`);
    check(label !== "le" && label !== "quantile", `label ${label} is reserved`);
  }
  return breaches;
}
