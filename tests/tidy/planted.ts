/**
 * Small houses: with one breach each (`PLANTED`), and without any where one might be suspected (`TIDY`).
 */
import type { ProjectFile } from "./project.ts";

/** One breach. */
export interface Planted {
  readonly rule: string;
  readonly what: string;
  readonly files: readonly ProjectFile[];
  /** Where it must be found, as `path:line`. */
  readonly found: readonly string[];
}

function house(files: Readonly<Record<string, string>>): ProjectFile[] {
  return Object.entries(files).map(([path, text]) => ({ path, text }));
}

/** A breach at the given line of a single file. */
function planted(rule: string, what: string, path: string, text: string, line = 1): Planted {
  return { rule, what, files: house({ [path]: text }), found: [`${path}:${line}`] };
}

function breach(rule: string, what: string, found: string, files: Readonly<Record<string, string>>): Planted {
  return { rule, what, files: house(files), found: [found] };
}

/** A function of so many lines, its braces included. */
function longFunction(lines: number): string {
  return `function f(): void {\n${"\n".repeat(lines - 2)}}\n`;
}

/** A function around another of so many lines. */
function suite(lines: number): string {
  return `function suite(): void {\n  test(() => {\n${"\n".repeat(lines - 2)}});\n}\n`;
}

const RULE_OF_DIRECTION: readonly Planted[] = [
  ["net/a.ts", "director/b.ts", "../director/b.ts"],
  ["schedulers/a.ts", "director/b.ts", "../director/b.ts"],
  ["schedulers/a.ts", "modes/b.ts", "../modes/b.ts"],
  ["engines/a.ts", "doctor/b.ts", "../doctor/b.ts"],
  ["director/a.ts", "tests/b.ts", "../tests/b.ts"],
  ["errors.ts", "main.ts", "./main.ts"],
].map(([from = "", to = "", specifier = ""]) =>
  breach("import direction", `${from} to ${to}`, `${from}:1`, {
    [from]: `import "${specifier}";\n`,
    [to]: "",
  })
);

const WAYS_TO_IMPORT: readonly Planted[] = [
  `import type { A } from "../director/a.ts";`,
  `export { A } from "../director/a.ts";`,
  `export * from "../director/a.ts";`,
  `await import("../director/a.ts");`,
  `new Worker(new URL("../director/a.ts", import.meta.url));`,
].map((text) =>
  breach("import direction", text, "hooks/b.ts:2", { "hooks/b.ts": `\n${text}\n`, "director/a.ts": "" })
);

const FFI: readonly Planted[] = [
  `Deno.dlopen("libc.so.6", {});`,
  `const p = Deno.UnsafePointer.create(1n);`,
  `export function f(p: Deno.PointerValue): void { void p; }`,
  `const { dlopen } = Deno;`,
].map((text) => planted("foreign function", text, "engines/native/a.ts", text));

const PURE: readonly Planted[] = [
  `Date.now();`,
  `performance.now();`,
  `Math.random();`,
  `setTimeout(() => {}, 1);`,
  `Deno.hostname();`,
].map((text) => planted("pure room", text, "director/a.ts", text));

export const PLANTED: readonly Planted[] = [
  planted("file size", "401 lines", "cli/a.ts", "\n".repeat(401)),
  planted("unfinished work", "in a comment", "cli/a.ts", `\n// ${"TO" + "DO"}: later\n`, 2),
  planted("unfinished work", "in a document", "README.md", `# A\n\n${"FIX" + "ME"}\n`, 3),
  planted("vague name", "a folder", "cli/utils/a.ts", ""),
  planted("vague name", "a part of a name", "cli/text_helpers.ts", ""),
  planted("file name", "camel case", "cli/checkFile.ts", ""),
  planted("unknown room", "a new folder", "cellar/a.ts", ""),
  planted("foreign place", "a path of one machine", "cli/a.ts", `\n// see ${"/wor" + "k/"}main\n`, 2),
  planted("test place", "beside the code", "cli/a_test.ts", ""),
  planted("syntax", "a file that does not parse", "cli/a.ts", "const = ;"),
  planted("function size", "a function of 60 lines", "cli/a.ts", longFunction(60)),
  planted(
    "function size",
    "a method behind letters of more than one byte",
    "cli/a.ts",
    `// ·→·→\nclass A { m() {${"\n".repeat(59)}} }\n`,
    2,
  ),
  planted("function size", "one inside another, in the house", "cli/a.ts", suite(59)),
  planted("function size", "a test of 60 lines", "tests/a.ts", suite(60), 2),
  ...FFI,
  planted("console", "console.log", "cli/a.ts", `console.log("hello");`),
  planted("default export", "a function", "cli/a.ts", "export default function f() {}"),
  planted("default export", "by renaming", "cli/a.ts", "const a = 1;\nexport { a as default };", 2),
  planted("enum", "an enum", "cli/a.ts", "export enum A { b }"),
  planted("global state", "let", "cli/a.ts", "let count = 0;\n"),
  planted("global state", "an exported let", "cli/a.ts", "\nexport let count = 0;\n", 2),
  ...PURE,
  planted("test name", "Deno.test", "tests/unit/a.ts", `Deno.test("a", () => {});`),
  planted("switched-off check", "lint", "cli/a.ts", "\n// deno-lint-ignore-file no-explicit-any\n", 2),
  planted("switched-off check", "types", "cli/a.ts", "// @ts-ignore because\nf();\n"),
  ...RULE_OF_DIRECTION,
  ...WAYS_TO_IMPORT,
  planted("computed import", "a module whose name is made", "cli/a.ts", "await import(`./${name}.ts`);"),
  planted("import target", "a package that is not pinned", "cli/a.ts", `import "left-pad";`),
  planted("import target", "a package by its address", "cli/a.ts", `import "npm:yaml@2";`),
  planted("import target", "a file that is not there", "cli/a.ts", `import "./b.ts";`),
  breach("import cycle", "two files", "net/b.ts:1", {
    "net/a.ts": `import "./b.ts";`,
    "net/b.ts": `import "./a.ts";`,
  }),
  breach("import cycle", "through a third, types only", "net/c.ts:1", {
    "net/a.ts": `import type { B } from "./b.ts";`,
    "net/b.ts": `import type { C } from "./c.ts";`,
    "net/c.ts": `import type { A } from "./a.ts";`,
  }),
  breach("broken link", "a page that is not there", "guide/a.md:3", { "guide/a.md": "# A\n\n[b](b.md)\n" }),
  breach("broken link", "an anchor that is not there", "guide/a.md:1", {
    "guide/a.md": "[b](b.md#other-words)\n",
    "guide/b.md": "# Some words\n",
  }),
  planted("missing page", "named in code", "cli/a.ts", `\n// see ${"do" + "cs"}/gone.md\n`, 2),
];

export const TIDY: readonly { readonly what: string; readonly files: readonly ProjectFile[] }[] = [
  {
    what: "imports of rows below and of the cellar",
    files: house({
      "main.ts": `import "./cli/a.ts";`,
      "cli/a.ts":
        `import "../director/a.ts"; import "node:net"; import { parse } from "yaml"; import "yaml/x";`,
      "director/a.ts": `import "../schedulers/a.ts"; import "../errors.ts";`,
      "schedulers/a.ts": `import "../net/a.ts"; import "./b.ts";`,
      "schedulers/b.ts": "",
      "net/a.ts": `import "../errors.ts";`,
      "errors.ts": "",
      "tests/a.ts": `import "../bench/a.ts"; import "../sys/a.ts";`,
      "bench/a.ts": "",
      "sys/a.ts": `Deno.dlopen("libc.so.6", {});`,
    }),
  },
  {
    what: "a long file that says why",
    files: house({ "cli/a.ts": `// Long because: one table.\n${"\n".repeat(500)}` }),
  },
  {
    what: "a long function that says why",
    files: house({ "cli/a.ts": `// Long because: one table.\n${longFunction(80)}` }),
  },
  { what: "a function of 59 lines", files: house({ "cli/a.ts": longFunction(59) }) },
  {
    what: "a long suite of short tests",
    files: house({ "tests/a.ts": `function all(): void {\n${suite(50).repeat(3)}}\n` }),
  },
  {
    what: "tests declared by a function for others",
    files: house({
      "tests/conformance/a.ts": `export function suite(name: string): void { Deno.test(name, () => {}); }`,
    }),
  },
  {
    what: "words in strings that look like code",
    files: house({ "cli/a.ts": `const a = "console.log(Deno.dlopen)";` }),
  },
  {
    what: "links that lead somewhere",
    files: house({
      "README.md": "[a](guide/a.md#two-words-here) [b](https://example.org/x) [c](#title)\n# Title\n",
      "guide/a.md": "## Two words, here\n```\n[x](gone.md)\n```\n[up](../README.md) [folder](.)\n",
    }),
  },
];
