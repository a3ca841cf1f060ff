/**
 * From plain values to a configuration, or to every mistake in them. Where the values came from (a file, options) is
 * the caller's business.
 *
 * @module
 */
import { buildConfig } from "./build.ts";
import { crossMistakes } from "./cross_mistakes.ts";
import { type Mistake, mistakesOf } from "./mistakes.ts";
import type { Config } from "./model.ts";
import { readableConfig } from "./readable.ts";
import { configSection } from "./schema.ts";

/** One of the two. */
export type Validated = { readonly config: Config } | { readonly mistakes: readonly Mistake[] };

/** @param file what `Config.file` is to say */
export function validate(plain: unknown, file: string): Validated {
  const result = configSection.safeParse(plain);
  const mistakes = [
    ...(result.success ? [] : mistakesOf(result.error.issues, plain)),
    ...crossMistakes(readableConfig(plain)),
  ];
  if (result.success && mistakes.length === 0) return { config: buildConfig(result.data, file) };
  return { mistakes };
}
