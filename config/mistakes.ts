/**
 * From the findings of the schema to sentences for people.
 *
 * @module
 */
import type * as z from "zod";
import { suggestion } from "./nearest.ts";
import type { Path, PlacePart } from "./positions.ts";
import { keyAdvice } from "./sections.ts";
import { visible } from "./shown.ts";

/** One mistake, still without line and column. */
export interface Mistake {
  readonly path: Path;
  /** Which part of what the path names is wrong. */
  readonly part: PlacePart;
  readonly message: string;
  /** Path of the other half of the mistake, such as the first service of that name. */
  readonly other?: Path;
}

type Issue = z.core.$ZodIssue;

/** Stands for a value that could not be made out; no further mistake is reported about it. */
export const UNKNOWN: unique symbol = Symbol("unknown value");

/** What an item of a list is called. */
const ITEM_NAMES: Readonly<Record<string, string>> = {
  services: "service",
  destinations: "destination",
  flags: "flag",
  command: "argument",
  chain: "rule",
  prerouting: "rule",
  input: "rule",
  ports: "port",
  sourcePorts: "source port",
};

/** One mistake for each finding; `root` is the value that was looked at. */
export function mistakesOf(issues: readonly Issue[], root: unknown): Mistake[] {
  return issues.flatMap((issue) => mistakesOfIssue(issue, [], root));
}

function mistakesOfIssue(issue: Issue, before: Path, root: unknown): Mistake[] {
  const path = [...before, ...issue.path];
  const value = valueAt(root, path);
  if (value === UNKNOWN) return [];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      part: "key",
      message: unknownKey(key, issue.message),
    }));
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const branch = likeliestBranch(issue.errors);
    if (branch !== undefined) return branch.flatMap((inner) => mistakesOfIssue(inner, path, root));
  }
  if (value === undefined) return [{ path, part: "value", message: missingKey(path, issue.message) }];
  return [{ path, part: "value", message: issue.message.replace("{key}", nameOf(path)) }];
}

/**
 * Of the spellings of a value the one that was most likely meant: the one whose kind (text, number, list, mapping) fits.
 * `undefined` when none does; then the message of the whole says what is allowed.
 */
function likeliestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const fitting = branches.filter((issues) =>
    !issues.some((it) =>
      it.path.length === 0 &&
      (it.code === "invalid_type" || it.code === "invalid_value" || isHopelessUnion(it))
    )
  );
  return fitting[0];
}

function isHopelessUnion(issue: Issue): boolean {
  return issue.code === "invalid_union" && issue.errors.length > 0 &&
    likeliestBranch(issue.errors) === undefined;
}

function unknownKey(key: string, advice: string): string {
  const { allowed, elsewhere } = keyAdvice(advice);
  const known = Object.hasOwn(elsewhere, key) ? elsewhere[key] : undefined;
  if (known !== undefined) return known;
  return `unknown key "${visible(key)}"; allowed: ${allowed.join(", ")}${suggestion(key, allowed)}`;
}

/** Keeps the advice of the message (`; write ...`, `; allowed: ...`) and drops what it says of the value, for there is none. */
function missingKey(path: Path, message: string): string {
  const advice = message.indexOf("; ");
  return `missing key "${String(path.at(-1))}"${advice < 0 ? "" : message.slice(advice)}`;
}

function nameOf(path: Path): string {
  const last = path.at(-1);
  if (last === undefined) return "the file";
  if (typeof last !== "number") return visible(String(last));
  const list = String(path.at(-2));
  return ITEM_NAMES[list] ?? list;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}
