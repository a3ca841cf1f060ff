/**
 * How long the functions of a file are.
 */
import { lineAt } from "./project.ts";

/** Lines of one function, from 1, both included. */
interface Span {
  readonly first: number;
  readonly last: number;
  readonly range: Deno.lint.Range;
}

/** A function and how many of its lines are its own. */
export interface FunctionSize {
  readonly range: Deno.lint.Range;
  readonly firstLine: number;
  readonly lines: number;
}

/** Takes note of functions while a file is walked through. */
export class FunctionSizes {
  readonly #text: string;
  readonly #suite: boolean;
  readonly #spans: Span[] = [];

  /**
   * @param suite functions inside a function do not count as its lines: a suite is a function that declares tests, each a
   * function of its own
   */
  constructor(text: string, suite: boolean) {
    this.#text = text;
    this.#suite = suite;
  }

  visitor(): Deno.lint.LintVisitor {
    const note = ({ range }: Deno.lint.Node) => {
      this.#spans.push({
        first: lineAt(this.#text, range[0]),
        last: lineAt(this.#text, range[1]),
        range: [range[0], range[1]],
      });
    };
    return { FunctionDeclaration: note, FunctionExpression: note, ArrowFunctionExpression: note };
  }

  /** All functions, once the walk is over. */
  sizes(): FunctionSize[] {
    return this.#spans.map((span) => {
      const inner = this.#suite ? this.#directlyInside(span) : [];
      // The line where an inner function starts is still a line of the outer one.
      const lent = inner.reduce((sum, { first, last }) => sum + last - first, 0);
      return { range: span.range, firstLine: span.first, lines: span.last - span.first + 1 - lent };
    });
  }

  #directlyInside(outer: Span): Span[] {
    const inside = this.#spans.filter((span) => span !== outer && contains(outer, span));
    return inside.filter((span) => !inside.some((other) => other !== span && contains(other, span)));
  }
}

function contains(outer: Span, inner: Span): boolean {
  return outer.range[0] <= inner.range[0] && inner.range[1] <= outer.range[1];
}
