/**
 * The syntax of keepalived.conf: words, blocks, comments, included files and simple definitions.
 *
 * @module
 */
import { ValueError } from "../../errors.ts";
import type { Import } from "./imported.ts";
import { wordsOf } from "./keepalived_words.ts";

/** One statement with its block, if it has one. */
export interface Statement {
  readonly words: readonly string[];
  readonly file: string;
  readonly line: number;
  readonly block: Statement[];
}

/** Whether a switch such as `alpha` is on: the word alone means yes. */
export function isOn({ words: [, value = "yes"] }: Statement): boolean {
  return !["no", "off", "false"].includes(value.toLowerCase());
}

/** How included files are found; passed in. */
export interface IncludeReader {
  /** Texts of the files that a pattern names, relative to the including file; none where there are none. */
  read(pattern: string, from: string): Promise<readonly { readonly path: string; readonly text: string }[]>;
}

/** Files within files, and definitions within definitions; more is a circle. */
const DEPTH = 16;

/**
 * Reads a file and what it includes.
 *
 * @throws {ValueError} `IMPORT_INVALID`: braces that do not match, includes in a circle
 */
export async function readStatements(
  text: string,
  file: string,
  includes: IncludeReader,
  it: Import,
): Promise<Statement[]> {
  const reader = new Reader(includes, it);
  await reader.read(text, file, 0);
  return reader.end(file);
}

class Reader {
  readonly #includes: IncludeReader;
  readonly #import: Import;
  readonly #root: Statement[] = [];
  readonly #open: Statement[] = [];
  readonly #definitions = new Map<string, string>();
  #last: Statement | undefined;

  constructor(includes: IncludeReader, it: Import) {
    this.#includes = includes;
    this.#import = it;
  }

  async read(text: string, file: string, depth: number): Promise<void> {
    if (depth > DEPTH) throw invalid(file, 1, "it is included in a circle");
    for (const [i, lineText] of text.split("\n").entries()) {
      await this.#line(lineText, file, i + 1, depth);
    }
  }

  end(file: string): Statement[] {
    const left = this.#open.at(-1);
    if (left !== undefined) {
      throw invalid(left.file, left.line, `the block of ${left.words[0]} is not closed`);
    }
    if (this.#root.length === 0) this.#import.warn(file, 1, "there is nothing in it");
    return this.#root;
  }

  async #line(text: string, file: string, line: number, depth: number): Promise<void> {
    const [, name, value] = /^\s*\$(\w+)\s*=\s*(.*?)\s*$/.exec(text) ?? [];
    if (name !== undefined) {
      if (value?.endsWith("\\")) {
        throw invalid(
          file,
          line,
          `$${name} goes over several lines, which is not read: write them out where it is used`,
        );
      }
      this.#definitions.set(name, value ?? "");
      return;
    }
    const [, repeated] = /^\s*(~(?:SEQx?|LST))\(/.exec(text) ?? [];
    if (repeated !== undefined) {
      throw invalid(file, line, `${repeated} is not read: write the lines out that it makes`);
    }
    const words = wordsOf(this.#expanded(text));
    if (words[0]?.startsWith("@")) {
      this.#import.warn(file, line, `${words[0]}: left out, for it is for some hosts only`);
      return;
    }
    if (/^include[a-z]*$/.test(words[0] ?? "")) {
      const found = await this.#includes.read(words[1] ?? "", file);
      if (found.length === 0) {
        this.#import.warn(file, line, `${words[0]}: there is no file ${words[1]}; left out`);
      }
      for (const included of found) await this.read(included.text, included.path, depth + 1);
      return;
    }
    this.#statements(words, file, line);
  }

  #statements(words: readonly string[], file: string, line: number): void {
    let current: string[] = [];
    const finish = () => {
      if (current.length > 0) this.#last = this.#add(current, file, line);
      current = [];
    };
    for (const word of words) {
      if (word === "{") {
        finish();
        if (this.#last === undefined) throw invalid(file, line, "a block without a name");
        this.#open.push(this.#last);
        this.#last = undefined;
      } else if (word === "}") {
        finish();
        if (this.#open.pop() === undefined) throw invalid(file, line, "a } too many");
        this.#last = undefined;
      } else current.push(word);
    }
    finish();
  }

  #add(words: string[], file: string, line: number): Statement {
    const statement = { words, file, line, block: [] };
    (this.#open.at(-1)?.block ?? this.#root).push(statement);
    return statement;
  }

  /** A value may name definitions of its own, which count as they are now. */
  #expanded(text: string, depth = 0): string {
    const expanded = text.replace(
      /\$\{?(\w+)\}?/g,
      (all, name: string) => this.#definitions.get(name) ?? all,
    );
    return expanded === text || depth >= DEPTH ? expanded : this.#expanded(expanded, depth + 1);
  }
}

function invalid(file: string, line: number, what: string): ValueError {
  return new ValueError("IMPORT_INVALID", `${file}:${line}: ${what}`, { file, line });
}
