/**
 * Environment variables in a config: `${NAME}`, `${NAME:-default}`; `$${` stands for `${`.
 *
 * @module
 */

/** Value of an environment variable, `undefined` when it is not set. */
export type Environment = (name: string) => string | undefined;

/** Text with its variables replaced, and what was wrong with them. */
export interface ExpandedText {
  readonly text: string;
  readonly mistakes: readonly string[];
}

/**
 * Replaces every variable. The default counts for a variable that is unset or empty, as in a shell.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const env = (name: string) => ({ PORT: "8080" })[name];
 * assert.equal(expandEnvironment("127.0.0.1:${PORT}", env).text, "127.0.0.1:8080");
 * assert.equal(expandEnvironment("${HOST:-127.0.0.1}:${PORT}", env).text, "127.0.0.1:8080");
 * assert.equal(expandEnvironment("$${PORT}", env).text, "${PORT}");
 * assert.equal(expandEnvironment("${HOST}", env).mistakes.length, 1);
 * ```
 */
export function expandEnvironment(text: string, env: Environment): ExpandedText {
  const mistakes: string[] = [];
  const expanded = text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, inside: string | undefined, end) => {
    if (inside === undefined) return "${";
    if (end === "") {
      mistakes.push("${ without its }; write ${NAME} for a variable, $${ for the characters themselves");
      return whole;
    }
    const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/.exec(inside) ?? [];
    if (name === undefined) {
      mistakes.push(`${whole} names no variable; write \${NAME} or \${NAME:-default}`);
      return whole;
    }
    const value = env(name);
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value !== undefined) return value;
    mistakes.push(
      `the environment variable ${name} is not set; set it, or write a default: \${${name}:-...}`,
    );
    return whole;
  });
  return { text: expanded, mistakes };
}

/** Whether there is anything to replace. */
export function hasVariable(text: string): boolean {
  return text.includes("${");
}
