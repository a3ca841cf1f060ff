/**
 * Reads a command line word by word as the option library of ipvsadm (popt 1.19) does: combined shorts, attached
 * arguments, `--long=argument`, words without a dash kept for the end, no abbreviations.
 *
 * @module
 */
import { ToolError } from "../errors.ts";
import type { Word } from "./grammar.ts";

/** One option that was read; `argument` is undefined where none was given. */
export interface ReadOption {
  readonly word: Word;
  readonly argument: string | undefined;
}

/** Exit status of `return -1`. */
const MINUS_ONE = 255;

/**
 * Goes through the words once.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { WORDS } from "./grammar.ts";
 *
 * const reader = new OptionReader(["-At10.0.0.1:80", "-s", "rr", "more"], WORDS);
 * const read = [reader.next(), reader.next(), reader.next()].map((it) => [it?.word.long, it?.argument]);
 * assert.deepEqual(read, [["add-service", undefined], ["tcp-service", "10.0.0.1:80"], ["scheduler", "rr"]]);
 * assert.equal(reader.next(), undefined);
 * assert.deepEqual(reader.leftovers, ["more"]);
 * ```
 */
export class OptionReader {
  /** Words that are no options, in their order. */
  readonly leftovers: string[] = [];
  readonly #words: readonly string[];
  readonly #table: readonly Word[];
  #at = 0;
  /** Rest of a word of combined short options. */
  #shorts = "";

  constructor(words: readonly string[], table: readonly Word[]) {
    this.#words = words;
    this.#table = table;
  }

  /** The word read last, which is what messages name: an option's argument, not the option. */
  get lastWord(): string {
    return this.#words[this.#at - 1] ?? "";
  }

  /**
   * The next option, undefined at the end.
   *
   * @throws {ToolError} exit 255: unknown option, missing argument, an argument that is not taken
   */
  next(): ReadOption | undefined {
    if (this.#shorts === "") {
      const word = this.#nextDashed();
      if (word === undefined) return undefined;
      if (word.startsWith("--")) return this.#long(word.slice(2));
      this.#shorts = word.slice(1);
    }
    return this.#short();
  }

  /** Skips to the next word that begins with a dash; `--` makes all others leftovers. */
  #nextDashed(): string | undefined {
    while (this.#at < this.#words.length) {
      const word = this.#words[this.#at++] ?? "";
      if (word === "--") {
        this.leftovers.push(...this.#words.slice(this.#at));
        this.#at = this.#words.length;
      } else if (word.startsWith("-") && word !== "-") return word;
      else this.leftovers.push(word);
    }
    return undefined;
  }

  #long(text: string): ReadOption {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const word = this.#table.find((it) => it.long === name);
    if (word === undefined) throw this.#error("unknown option");
    if (word.argument !== "none") {
      return { word, argument: equals < 0 ? this.#nextArgument(word) : text.slice(equals + 1) };
    }
    if (equals >= 0) throw this.#error("option does not take an argument");
    return { word, argument: undefined };
  }

  #short(): ReadOption {
    const letter = this.#shorts[0] ?? "";
    const word = this.#table.find((it) => it.short === letter);
    if (word === undefined) throw this.#error("unknown option");
    const rest = this.#shorts.slice(1);
    this.#shorts = "";
    if (word.argument === "none") {
      if (rest.startsWith("=")) throw this.#error("option does not take an argument");
      this.#shorts = rest;
      return { word, argument: undefined };
    }
    if (rest !== "") return { word, argument: rest.startsWith("=") ? rest.slice(1) : rest };
    return { word, argument: this.#nextArgument(word) };
  }

  #nextArgument(word: Word): string | undefined {
    const next = this.#words[this.#at];
    if (word.argument === "optional") {
      if (next === undefined || next.startsWith("-")) return undefined;
    } else if (next === undefined) throw this.#error("missing argument");
    this.#at++;
    return next;
  }

  #error(reason: string): ToolError {
    return new ToolError("OPTION_INVALID", MINUS_ONE, `${this.lastWord}: ${reason}`);
  }
}
