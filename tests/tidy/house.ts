/**
 * All rules together over one set of files.
 */
import { checkImports, IMPORT_RULE_NAMES } from "./import_rules.ts";
import { checkLinks, LINK_RULE_NAMES } from "./link_rules.ts";
import { isCode, type Problem, type ProjectFile } from "./project.ts";
import { parse, SYNTAX_RULE_NAMES } from "./syntax_rules.ts";
import { checkText, TEXT_RULE_NAMES } from "./text_rules.ts";

export const RULE_NAMES: readonly string[] = [
  ...TEXT_RULE_NAMES,
  ...SYNTAX_RULE_NAMES,
  ...IMPORT_RULE_NAMES,
  ...LINK_RULE_NAMES,
];

/** What the rules need to know beyond the files themselves. */
export interface Surroundings {
  /** Names under `imports` in deno.json. */
  readonly packages: ReadonlySet<string>;
  /** Whether a path relative to the root names a file or folder. */
  readonly exists: (path: string) => boolean;
}

/** Every breach, in order of path and line. */
export function inspect(files: readonly ProjectFile[], { packages, exists }: Surroundings): Problem[] {
  const parsed = files.filter(isCode).map((file) => ({ path: file.path, syntax: parse(file) }));
  const graph = new Map(parsed.map(({ path, syntax }) => [path, syntax.imports]));
  const problems = [
    ...files.flatMap(checkText),
    ...parsed.flatMap(({ syntax }) => syntax.problems),
    ...checkImports(graph, packages),
    ...checkLinks(files, exists),
  ];
  return problems.sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line);
}

export function describe({ rule, path, line, message }: Problem): string {
  return `${path}:${line}: ${rule}: ${message}`;
}
