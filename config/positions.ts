/**
 * Where in a config file everything is.
 *
 * @module
 */
import type { LineCounter } from "yaml";

/** Keys and list indexes from the root to a value. */
export type Path = readonly PropertyKey[];

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Place of a value and of everything in it. Offsets count UTF-16 units from the start of the file. */
export interface Place {
  /** Offset of the key; that of the value for a list item. */
  readonly key: number;
  readonly value: number;
  readonly children: ReadonlyMap<PropertyKey, Place>;
  /** The value as it stands in the file, when `${NAME}` made something else of it. */
  readonly written?: string;
}

/** What of a value a mistake is about. */
export type PlacePart = "key" | "value";

/** Finds places by path, positions by offset. */
export class Positions {
  readonly #root: Place;
  readonly #lines: LineCounter;

  constructor(root: Place, lines: LineCounter) {
    this.#root = root;
    this.#lines = lines;
  }

  at(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  /** Position of what the path names; of the mapping or list around it when it is not there. */
  find(path: Path, part: PlacePart): Position {
    const { place } = this.#nearest(path);
    return this.at(part === "key" ? place.key : place.value);
  }

  /** The text in the file from which the environment made this value. */
  written(path: Path): string | undefined {
    const { place, depth } = this.#nearest(path);
    return depth === path.length ? place.written : undefined;
  }

  #nearest(path: Path): { place: Place; depth: number } {
    let place = this.#root;
    let depth = 0;
    for (; depth < path.length; depth++) {
      const next = place.children.get(path[depth] ?? "");
      if (next === undefined) break;
      place = next;
    }
    return { place, depth };
  }
}

/**
 * Path as a person writes it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(formatPath(["services", 0, "scheduler"]), "services[0].scheduler");
 * ```
 */
export function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === "number" ? `${text}[${step}]` : text === "" ? String(step) : `${text}.${String(step)}`,
    "",
  );
}
