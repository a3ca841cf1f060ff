/**
 * Reads the words of one line in order, and says what is missing or wrong where it stands.
 *
 * @module
 */
import { parseDuration } from "../config/duration.ts";
import { suggestion } from "../config/nearest.ts";
import { ValueError } from "../errors.ts";
import { type Endpoint, isNamed, parseEndpoint } from "../net/endpoint.ts";
import { LineMistake, type Token } from "./tokens.ts";

/** The words of a line that were not read yet. */
export class LineWords {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Column of the next word, or of the end of the line. */
  get column(): number {
    const token = this.#tokens[this.#next];
    if (token !== undefined) return token.column;
    const last = this.#tokens.at(-1);
    return last === undefined ? 1 : last.column + last.text.length;
  }

  get isDone(): boolean {
    return this.#next >= this.#tokens.length;
  }

  peek(): string | undefined {
    return this.#tokens[this.#next]?.text;
  }

  /** The next word; `what` names it when it is missing. */
  take(what: string): string {
    const word = this.peek();
    if (word === undefined) throw this.mistake(`${what} is missing`);
    this.#next++;
    return word;
  }

  /** Takes the next word if it is this one. */
  skip(word: string): boolean {
    if (this.peek() !== word) return false;
    this.#next++;
    return true;
  }

  endpoint(what: string): Endpoint {
    const column = this.column;
    return endpointOf(this.take(what), column);
  }

  number(what: string, most = 2 ** 31 - 1): number {
    const column = this.column;
    return numberOf(this.take(what), what, column, most);
  }

  durationMs(what: string): number {
    const column = this.column;
    return durationOf(this.take(what), column);
  }

  choice<Name extends string>(what: string, names: readonly Name[]): Name {
    const column = this.column;
    const word = this.take(what);
    const found = names.find((it) => it === word);
    if (found !== undefined) return found;
    throw new LineMistake(
      column,
      `"${word}" is no ${what}; there are ${names.join(", ")}${suggestion(word, names)}`,
    );
  }

  /** The rest as `key=value` words and bare words, each allowed once. */
  options(allowed: readonly string[]): Map<string, { value: string; column: number }> {
    const found = new Map<string, { value: string; column: number }>();
    while (!this.isDone && this.peek() !== "=>") {
      const column = this.column;
      const [, key = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(this.take("an option")) ?? [];
      if (!allowed.includes(key)) {
        const names = allowed.length === 0 ? "nothing more" : `one of ${allowed.join(", ")}`;
        throw new LineMistake(
          column,
          `"${key}" is not known here; ${names} may follow${suggestion(key, allowed)}`,
        );
      }
      if (found.has(key)) throw new LineMistake(column, `${key} is written twice`);
      found.set(key, { value, column });
    }
    return found;
  }

  end(): void {
    if (!this.isDone) throw this.mistake(`"${this.peek()}" is one word too many`);
  }

  mistake(message: string): LineMistake {
    return new LineMistake(this.column, message);
  }
}

export function endpointOf(text: string, column: number): Endpoint {
  const endpoint = explained(column, () => parseEndpoint(text));
  if (!isNamed(endpoint)) return endpoint;
  throw new LineMistake(column, `"${text}" has a host name; a script needs the address itself`);
}

export function numberOf(text: string, what: string, column: number, most = 2 ** 31 - 1): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number <= most) return number;
  throw new LineMistake(column, `"${text}" is no ${what}; a whole number from 0 to ${most} is wanted`);
}

export function durationOf(text: string, column: number): number {
  return explained(column, () => parseDuration(text));
}

/** Runs a parser; what it says about the value is said about this place. */
export function explained<T>(column: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new LineMistake(column, error.message);
  }
}
