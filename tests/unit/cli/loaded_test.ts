/** What a command has to load before it can start: parts that only a few ways through it need are left out. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

interface Dependency {
  readonly specifier: string;
  /** Absent for a type. */
  readonly code?: { readonly specifier: string };
  readonly isDynamic?: boolean;
}

interface Graph {
  readonly modules: readonly { readonly specifier: string; readonly dependencies?: readonly Dependency[] }[];
}

/** Packages that are loaded with `entries` and all that they import at once, by their names in the code. */
async function loadedWith(...entries: readonly string[]): Promise<Set<string>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: ROOT,
  }).output();
  const { modules }: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const dependencies = new Map(modules.map((it) => [it.specifier, it.dependencies ?? []]));
  const seen = new Set<string>();
  const packages = new Set<string>();
  const visit = (specifier: string) => {
    if (seen.has(specifier)) return;
    seen.add(specifier);
    for (const { specifier: name, code, isDynamic } of dependencies.get(specifier) ?? []) {
      if (code === undefined || isDynamic === true) continue;
      if (/^[a-z@]/.test(name)) packages.add(name);
      visit(code.specifier);
    }
  };
  for (const entry of entries) {
    const specifier = new URL(entry, `file://${ROOT}`).href;
    assert.ok(dependencies.has(specifier), `${entry} is not part of the program`);
    visit(specifier);
  }
  return packages;
}

Deno.test("loaded: a command that is not known yet costs no package but that of near names", async () => {
  const loaded = await loadedWith("main.ts");
  assert.deepEqual([...loaded].filter((it) => !it.startsWith("node:")), ["fastest-levenshtein"]);
});

Deno.test("loaded: lvsd run without a file reads no YAML and builds no schema, and no scrape is prepared", async () => {
  const loaded = await loadedWith("main.ts", "cli/run.ts", "daemon/process.ts");
  for (const it of ["hono", "@logtape/logtape"]) assert.ok(loaded.has(it), `${it} is not seen`);
  for (const it of ["yaml", "zod", "prom-client"]) {
    assert.ok(!loaded.has(it), `${it} is loaded`);
  }
});
