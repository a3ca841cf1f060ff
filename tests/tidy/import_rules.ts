/**
 * Rules about who imports whom.
 */
import { posix } from "node:path";
import type { Problem } from "./project.ts";
import { mayImport, roomOf } from "./rooms.ts";
import type { Import } from "./syntax_rules.ts";

/** Imports of each file, by path. */
export type ImportGraph = ReadonlyMap<string, readonly Import[]>;

export const IMPORT_RULE_NAMES: readonly string[] = ["import direction", "import target", "import cycle"];

export function checkImports(graph: ImportGraph, packages: ReadonlySet<string>): Problem[] {
  const problems: Problem[] = [];
  for (const [path, imports] of graph) {
    for (const { specifier, line } of imports) {
      const problem = checkOne(path, specifier, graph, packages);
      if (problem !== undefined) problems.push({ path, line, ...problem });
    }
  }
  return [...problems, ...findCycles(graph)];
}

function checkOne(
  path: string,
  specifier: string,
  graph: ImportGraph,
  packages: ReadonlySet<string>,
): { rule: string; message: string } | undefined {
  const target = resolve(path, specifier);
  if (target === undefined) {
    if (specifier.startsWith("node:") || packages.has(packageOf(specifier))) return undefined;
    return { rule: "import target", message: `"${specifier}" is not pinned under imports in deno.json` };
  }
  if (mayImport(roomOf(path), roomOf(target))) {
    if (graph.has(target) || !target.endsWith(".ts")) return undefined;
    return { rule: "import target", message: `${target} does not exist` };
  }
  return {
    rule: "import direction",
    message: `${roomOf(path)} must not know ${roomOf(target)} (${specifier}); rooms import from rows below`,
  };
}

/** Path of the file that a relative import names; undefined for a package. */
function resolve(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : undefined;
}

/** `hono/cors` belongs to `hono`, `@logtape/logtape/x` to `@logtape/logtape`. */
function packageOf(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

/** One problem per cycle, named at the file of it that was met first. */
function findCycles(graph: ImportGraph): Problem[] {
  const problems: Problem[] = [];
  const state = new Map<string, "open" | "done">();
  const trail: string[] = [];
  const visit = (path: string) => {
    state.set(path, "open");
    trail.push(path);
    for (const { specifier, line } of graph.get(path) ?? []) {
      const target = resolve(path, specifier);
      if (target === undefined || !graph.has(target)) continue;
      if (state.get(target) === "open") {
        const cycle = [...trail.slice(trail.indexOf(target)), target].join(" -> ");
        problems.push({ rule: "import cycle", path, line, message: cycle });
      } else if (!state.has(target)) visit(target);
    }
    trail.pop();
    state.set(path, "done");
  };
  for (const path of graph.keys()) if (!state.has(path)) visit(path);
  return problems;
}
