/**
 * From a YAML document to plain values, with the place of each: aliases followed, `<<` merged, `${NAME}` replaced.
 *
 * @module
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { LIMITS } from "../limits.ts";
import { type Environment, expandEnvironment, hasVariable } from "./env.ts";
import { UNKNOWN } from "./mistakes.ts";
import type { Path, Place } from "./positions.ts";
import { shown } from "./shown.ts";

/** A mistake of the document itself, found while reading it. */
export interface DocumentMistake {
  readonly offset: number;
  readonly path: Path;
  readonly message: string;
  /** Offset of the other half of the mistake, such as the first of two equal keys. */
  readonly other?: number;
}

/** A value and where it is. */
interface Found {
  readonly value: unknown;
  readonly place: Place;
}

/** Reads one document; `mistakes` grows on the way. */
export class DocumentReader {
  readonly mistakes: DocumentMistake[] = [];
  readonly #document: Document.Parsed;
  readonly #env: Environment;
  readonly #anchors = new Map<string, Node>();
  /** Nodes that are being read: an alias to one of them would never end. */
  readonly #open = new Set<Node>();
  #aliasDepth = 0;
  #aliasValues = 0;
  #aliasesExhausted = false;

  constructor(document: Document.Parsed, env: Environment) {
    this.#document = document;
    this.#env = env;
  }

  /** The whole document; an empty one is `undefined`. */
  read(): Found {
    const { contents } = this.#document;
    if (contents === null) return { value: undefined, place: { key: 0, value: 0, children: new Map() } };
    return this.#node(contents, undefined, []);
  }

  #node(node: Node | null, keyOffset: number | undefined, path: Path): Found {
    const offset = node?.range?.[0] ?? keyOffset ?? 0;
    const key = keyOffset ?? offset;
    if (node === null) return leaf(null, key, offset);
    if (isAlias(node)) return this.#alias(node.source, offset, key, path);
    if (path.length > LIMITS.configDepth) {
      this.#mistake(offset, path, `nested more than ${LIMITS.configDepth} deep`);
      return leaf(UNKNOWN, key, offset);
    }
    if (this.#aliasDepth > 0 && ++this.#aliasValues > LIMITS.configAliasValues) {
      if (!this.#aliasesExhausted) {
        this.#mistake(offset, path, `aliases repeat more than ${LIMITS.configAliasValues} values`);
      }
      this.#aliasesExhausted = true;
      return leaf(UNKNOWN, key, offset);
    }
    if ("anchor" in node && typeof node.anchor === "string") this.#anchors.set(node.anchor, node);
    this.#open.add(node);
    const found = this.#content(node, key, offset, path);
    this.#open.delete(node);
    return found;
  }

  #content(node: Node, key: number, offset: number, path: Path): Found {
    if (isMap(node)) return this.#map(node as YAMLMap<Node, Node | null>, key, offset, path);
    if (isSeq(node)) {
      const items = node.items.map((item, i) => this.#node(item as Node | null, undefined, [...path, i]));
      const children = new Map<PropertyKey, Place>(items.map((item, i) => [i, item.place]));
      return { value: items.map((it) => it.value), place: { key, value: offset, children } };
    }
    return isScalar(node) ? this.#scalar(node, key, offset, path) : leaf(UNKNOWN, key, offset);
  }

  #alias(name: string, offset: number, key: number, path: Path): Found {
    const target = this.#anchors.get(name);
    if (target === undefined || this.#open.has(target)) {
      const port = /^:(\d+)$/.exec(name)?.[1];
      const hint = port !== undefined
        ? `; for every address write ":${port}"`
        : `; text that begins with * needs quotes`;
      const why = target === undefined ? `there is no anchor &${name} before it` : "it would contain itself";
      this.#mistake(offset, path, `*${name} is an alias in YAML, but ${why}${hint}`);
      return leaf(UNKNOWN, key, offset);
    }
    this.#aliasDepth++;
    const found = this.#node(target, key, path);
    this.#aliasDepth--;
    return found;
  }

  #map(map: YAMLMap<Node, Node | null>, key: number, offset: number, path: Path): Found {
    const value: Record<string, unknown> = Object.create(null);
    const children = new Map<PropertyKey, Place>();
    const merged: Found[] = [];
    for (const pair of map.items) {
      const address = bracketedAddress(pair);
      if (address !== undefined) {
        this.#mistake(offset, path, `[ begins a list in YAML; put the address in quotes: "${address}"`);
        return leaf(UNKNOWN, key, offset);
      }
      const name = this.#key(pair, path);
      if (name === undefined) continue;
      const at = pair.key.range?.[0] ?? offset;
      const before = children.get(name);
      if (before !== undefined) {
        this.mistakes.push({
          offset: at,
          path,
          message: `"${name}" is here for the second time`,
          other: before.key,
        });
        continue;
      }
      const isMerge = name === "<<";
      const found = this.#node(pair.value, at, isMerge ? path : [...path, name]);
      if (isMerge) {
        merged.push(...this.#mergeSources(found, at, path));
        continue;
      }
      value[name] = found.value;
      children.set(name, found.place);
    }
    for (const source of merged) mergeInto(value, children, source);
    return { value, place: { key, value: offset, children } };
  }

  #key(pair: Pair<Node, Node | null>, path: Path): string | undefined {
    const { key } = pair;
    const at = key?.range?.[0] ?? pair.value?.range?.[0] ?? 0;
    if (!isScalar(key) || key.value === null || typeof key.value === "object") {
      this.#mistake(at, path, "a key must be one word");
      return undefined;
    }
    const name = String(key.value);
    if (name !== "__proto__") return name;
    this.#mistake(at, path, `unknown key "${name}"`);
    return undefined;
  }

  /** The mappings that `<<` brings in. */
  #mergeSources(found: Found, offset: number, path: Path): Found[] {
    if (isMapping(found.value)) return [found];
    if (Array.isArray(found.value) && found.value.every(isMapping)) {
      return found.value.map((value, i) => ({ value, place: found.place.children.get(i) ?? found.place }));
    }
    this.#mistake(offset, path, `<< merges a mapping or a list of mappings, not ${shown(found.value)}`);
    return [];
  }

  #scalar(node: Scalar, key: number, offset: number, path: Path): Found {
    const { value } = node;
    if (typeof value !== "string" || !hasVariable(value)) return leaf(value, key, offset);
    const { text, mistakes } = expandEnvironment(value, this.#env);
    for (const message of mistakes) this.#mistake(offset, path, message);
    // A mistake here has been told; what the half-replaced text is worth would be told for nothing.
    if (mistakes.length > 0) return leaf(UNKNOWN, key, offset);
    const isPlain = node.type === "PLAIN" && node.tag === undefined;
    return {
      value: isPlain ? this.#resolvePlain(text) : text,
      place: { key, value: offset, children: new Map(), written: value },
    };
  }

  /** What YAML makes of unquoted text: `${WEIGHT}` is a number when the variable holds one. */
  #resolvePlain(text: string): unknown {
    for (const tag of this.#document.schema.tags) {
      if (tag.collection !== undefined || tag.default !== true || tag.test?.test(text) !== true) continue;
      const resolved = tag.resolve?.(text, () => undefined, {});
      return isScalar(resolved) ? resolved.value : resolved;
    }
    return text;
  }

  #mistake(offset: number, path: Path, message: string): void {
    this.mistakes.push({ offset, path, message });
  }
}

function leaf(value: unknown, key: number, offset: number): Found {
  return { value, place: { key, value: offset, children: new Map() } };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keys that are there already win over merged ones. */
function mergeInto(value: Record<string, unknown>, children: Map<PropertyKey, Place>, source: Found): void {
  if (!isMapping(source.value)) return;
  for (const [name, merged] of Object.entries(source.value)) {
    if (name in value) continue;
    value[name] = merged;
    const place = source.place.children.get(name);
    if (place !== undefined) children.set(name, place);
  }
}

/** `[[::1]:80]` is a list with a mapping in it, whose key is a list. */
function bracketedAddress({ key, value }: Pair<Node, Node | null>): string | undefined {
  const [host] = isSeq(key) ? key.items : [];
  if (!isScalar(host) || !/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(String(host.value))) return undefined;
  return `[${host.value}]${isScalar(value) ? `:${value.value}` : ""}`;
}
