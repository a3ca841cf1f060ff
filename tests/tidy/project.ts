/**
 * The project's own files as the rules see them, and the shape of a rule.
 */
import { extname } from "node:path";

/** A text file of the project; `path` is relative to its root, with `/`. */
export interface ProjectFile {
  readonly path: string;
  readonly text: string;
}

/** Something that is not tidy. */
export interface Problem {
  readonly rule: string;
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** Folders that hold no text of ours: data, dependencies, what a run leaves behind. */
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set([
  ".git",
  ".cache",
  "node_modules",
  "coverage",
  "fixtures",
]);
const TEXT_EXTENSIONS: ReadonlySet<string> = new Set([".ts", ".md", ".sh", ".yaml", ".yml"]);
/** Text files without an extension. */
const TEXT_NAMES: ReadonlySet<string> = new Set(["lvsd", "run"]);

/** Reads every text file below `root`, in order of path. */
export function readProject(root: string): ProjectFile[] {
  const files: ProjectFile[] = [];
  const visit = (folder: string) => {
    for (const entry of Deno.readDirSync(`${root}/${folder}`)) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory && !SKIPPED_FOLDERS.has(entry.name)) visit(path);
      if (!entry.isFile || !isText(entry.name)) continue;
      files.push({ path, text: Deno.readTextFileSync(`${root}/${path}`) });
    }
  };
  visit("");
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}

export function isCode(file: ProjectFile): boolean {
  return file.path.endsWith(".ts");
}

/** Line of an offset in a text, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < offset; i = text.indexOf("\n", i + 1)) line++;
  return line;
}

function isText(name: string): boolean {
  return TEXT_EXTENSIONS.has(extname(name)) || TEXT_NAMES.has(name);
}
