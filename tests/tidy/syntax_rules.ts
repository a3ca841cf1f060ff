/**
 * Rules about the code's shape. The parser is Deno's own, reached through its interface for lint plugins: the same
 * syntax tree that `deno lint` sees, with nothing to install.
 */
import { type FunctionSize, FunctionSizes } from "./function_sizes.ts";
import { lineAt, type Problem, type ProjectFile } from "./project.ts";
import { FFI_ROOM, PURE_ROOMS, roomOf } from "./rooms.ts";
import { LONG_REASON } from "./text_rules.ts";

/** A function may have fewer lines than this. */
export const FUNCTION_LINES = 60;

/** One module named by another, as written. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** What one pass over a file yields. */
export interface Syntax {
  readonly imports: Import[];
  readonly problems: Problem[];
}

const FFI_NAMES: ReadonlySet<string> = new Set([
  "dlopen",
  "UnsafePointer",
  "UnsafePointerView",
  "UnsafeCallback",
  "UnsafeFnPointer",
  "DynamicLibrary",
  "PointerValue",
  "PointerObject",
]);
/** Members that read time or chance from the surroundings. */
const AMBIENT: ReadonlySet<string> = new Set(["Date.now", "performance.now", "Math.random"]);
const AMBIENT_CALLS: ReadonlySet<string> = new Set(["setTimeout", "setInterval", "fetch"]);
/** The pure room's window to the outside: the source of chance that others pass in. */
const AMBIENT_ALLOWED: ReadonlySet<string> = new Set(["net/random.ts"]);

export const SYNTAX_RULE_NAMES: readonly string[] = [
  "syntax",
  "computed import",
  "function size",
  "foreign function",
  "console",
  "default export",
  "enum",
  "global state",
  "pure room",
  "test name",
  "switched-off check",
];

/** Parses a file once for its imports and its breaches. */
export function parse(file: ProjectFile): Syntax {
  const syntax: Syntax = { imports: [], problems: [] };
  const sizes = new FunctionSizes(file.text, roomOf(file.path) === "tests");
  const create = (context: Deno.lint.RuleContext): Deno.lint.LintVisitor => {
    const pass = new Pass(file, context, syntax);
    return { ...pass.imports(), ...sizes.visitor(), ...pass.members(), ...pass.declarations() };
  };
  try {
    Deno.lint.runPlugin({ name: "tidy", rules: { all: { create } } }, `/${file.path}`, file.text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    syntax.problems.push({ rule: "syntax", path: file.path, line: 1, message: error.message });
  }
  return { ...syntax, problems: [...syntax.problems, ...longFunctions(file, sizes.sizes())] };
}

function longFunctions(file: ProjectFile, sizes: readonly FunctionSize[]): Problem[] {
  const textLines = file.text.split("\n");
  return sizes.filter(({ lines, firstLine }) =>
    lines >= FUNCTION_LINES && !LONG_REASON.test(textLines[firstLine - 2] ?? "")
  ).map(({ lines, firstLine }) => ({
    rule: "function size",
    path: file.path,
    line: firstLine,
    message: `${lines} lines; fewer than ${FUNCTION_LINES} are readable`,
  }));
}

class Pass {
  readonly #file: ProjectFile;
  readonly #context: Deno.lint.RuleContext;
  readonly #syntax: Syntax;
  readonly #room: string;
  readonly #isPure: boolean;

  constructor(file: ProjectFile, context: Deno.lint.RuleContext, syntax: Syntax) {
    this.#file = file;
    this.#context = context;
    this.#syntax = syntax;
    this.#room = roomOf(file.path);
    this.#isPure = PURE_ROOMS.includes(this.#room) && !AMBIENT_ALLOWED.has(file.path);
  }

  imports(): Deno.lint.LintVisitor {
    const add = (node: Deno.lint.Node, specifier: string) =>
      this.#syntax.imports.push({ specifier, line: this.#line(node) });
    return {
      ImportDeclaration: (node) => void add(node, node.source.value),
      ExportAllDeclaration: (node) => void add(node, node.source.value),
      ExportNamedDeclaration: (node) => {
        if (node.source !== null) add(node, node.source.value);
      },
      ImportExpression: (node) => {
        if (isText(node.source)) add(node, node.source.value);
        else if (this.#room !== "tests") {
          this.#report("computed import", node, "write its name out: the bundle and these rules read it");
        }
      },
      // new URL("./worker.ts", import.meta.url) names a module as much as an import does.
      NewExpression: (node) => {
        const [target, base] = node.arguments;
        if (target === undefined || !isText(target) || base?.type !== "MemberExpression") return;
        if (base.object.type === "MetaProperty" && target.value.endsWith(".ts")) add(node, target.value);
      },
    };
  }

  members(): Deno.lint.LintVisitor {
    return {
      MemberExpression: (node) => {
        if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
        this.#checkMember(node, node.object.name, node.property.name);
      },
      TSQualifiedName: (node) => {
        if (node.left.type === "Identifier") this.#checkMember(node, node.left.name, node.right.name);
      },
      VariableDeclarator: (node) => {
        if (node.init?.type !== "Identifier" || node.id.type !== "ObjectPattern") return;
        for (const property of node.id.properties) {
          if (property.type !== "Property" || property.key.type !== "Identifier") continue;
          this.#checkMember(property, node.init.name, property.key.name);
        }
      },
      CallExpression: (node) => {
        if (node.callee.type === "Identifier" && this.#isPure && AMBIENT_CALLS.has(node.callee.name)) {
          this.#report("pure room", node, `${node.callee.name} in ${this.#room}/; take a Clock instead`);
        }
        if (this.#isDenoTest(node) && !this.#file.path.endsWith("_test.ts")) {
          this.#report("test name", node, "a file with tests is called ..._test.ts");
        }
      },
    };
  }

  declarations(): Deno.lint.LintVisitor {
    return {
      ExportDefaultDeclaration: (node) => this.#report("default export", node, "export it by its name"),
      ExportSpecifier: (node) => {
        if (node.exported.type !== "Identifier" || node.exported.name !== "default") return;
        this.#report("default export", node, "export it by its name");
      },
      TSEnumDeclaration: (node) => this.#report("enum", node, "write `const X = {...} as const`"),
      Program: (node) => {
        for (const statement of node.body) {
          const inner = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
          if (inner?.type !== "VariableDeclaration" || inner.kind === "const") continue;
          if (inner.kind === "let" || inner.kind === "var") {
            this.#report("global state", inner, "state belongs to an object that is passed on");
          }
        }
        this.#checkDirectives();
      },
    };
  }

  #checkMember(node: Deno.lint.Node, object: string, property: string): void {
    if (object === "Deno" && FFI_NAMES.has(property) && this.#room !== FFI_ROOM) {
      this.#report("foreign function", node, `Deno.${property} outside ${FFI_ROOM}/`);
    }
    if (object === "console") this.#report("console", node, "print through what was passed in");
    if (!this.#isPure) return;
    if (object === "Deno") {
      this.#report("pure room", node, `Deno.${property} in ${this.#room}/, which computes only`);
    }
    const member = `${object}.${property}`;
    if (AMBIENT.has(member)) {
      this.#report("pure room", node, `${member} in ${this.#room}/; take it as a parameter`);
    }
  }

  /** A check switched off for a whole file, or a type error silenced, hides what comes after. */
  #checkDirectives(): void {
    for (const comment of this.#context.sourceCode.getAllComments()) {
      if (!/deno-lint-ignore-file|@ts-(ignore|nocheck|expect-error)/.test(comment.value)) continue;
      this.#report("switched-off check", comment, comment.value.trim());
    }
  }

  /** `Deno.test(...)` at the top of a file, not inside a function that others call to declare tests. */
  #isDenoTest(node: Deno.lint.CallExpression): boolean {
    const { callee } = node;
    if (callee.type !== "MemberExpression" || callee.object.type !== "Identifier") return false;
    if (callee.object.name !== "Deno" || callee.property.type !== "Identifier") return false;
    const isFunction = ({ type }: Deno.lint.Node) => /Function/.test(type);
    return callee.property.name === "test" && !this.#context.sourceCode.getAncestors(node).some(isFunction);
  }

  #report(rule: string, node: { range: Deno.lint.Range }, message: string): void {
    const line = lineAt(this.#file.text, node.range[0]);
    this.#syntax.problems.push({ rule, path: this.#file.path, line, message });
  }

  #line(node: { range: Deno.lint.Range }): number {
    return lineAt(this.#file.text, node.range[0]);
  }
}

function isText(node: Deno.lint.Node): node is Deno.lint.StringLiteral {
  return node.type === "Literal" && "value" in node && typeof node.value === "string";
}
