/**
 * Rules about what the documents and comments point at.
 */
import { posix } from "node:path";
import { isCode, lineAt, type Problem, type ProjectFile } from "./project.ts";

export const LINK_RULE_NAMES: readonly string[] = ["broken link", "missing page"];

const MARKDOWN_LINK = /\]\(([^)\s]+)\)/g;
/** A page of the documentation named in code. */
const PAGE = /\bdocs\/[\w./-]+\.md\b/g;

/**
 * @param exists whether a path relative to the root names a file or folder
 */
export function checkLinks(
  files: readonly ProjectFile[],
  exists: (path: string) => boolean,
): Problem[] {
  const pages = new Map(files.filter(isPage).map((file) => [file.path, headings(file.text)]));
  return files.flatMap((file) => {
    if (isPage(file)) return brokenLinks(file, pages, exists);
    return isCode(file) ? missingPages(file, exists) : [];
  });
}

function brokenLinks(
  file: ProjectFile,
  pages: ReadonlyMap<string, ReadonlySet<string>>,
  exists: (path: string) => boolean,
): Problem[] {
  const problems: Problem[] = [];
  const prose = withoutFences(file.text);
  for (const match of prose.matchAll(MARKDOWN_LINK)) {
    const link = match[1] ?? "";
    if (/^[a-z]+:/.test(link)) continue;
    const [target = "", anchor] = link.split("#");
    const path = target === "" ? file.path : posix.join(posix.dirname(file.path), target);
    const isThere = exists(path) && (anchor === undefined || (pages.get(path)?.has(anchor) ?? true));
    if (isThere) continue;
    const message = `${link} leads nowhere`;
    problems.push({ rule: "broken link", path: file.path, line: lineAt(prose, match.index), message });
  }
  return problems;
}

function missingPages(file: ProjectFile, exists: (path: string) => boolean): Problem[] {
  return [...file.text.matchAll(PAGE)].filter(([page]) => !exists(page)).map((match) => ({
    rule: "missing page",
    path: file.path,
    line: lineAt(file.text, match.index),
    message: `${match[0]} does not exist`,
  }));
}

/** Anchors of a page as GitHub makes them: lower case, punctuation gone, spaces to hyphens. */
function headings(text: string): Set<string> {
  const titles = [...withoutFences(text).matchAll(/^#{1,6} +(.+)$/gm)].map((match) => match[1] ?? "");
  return new Set(
    titles.map((title) => title.trim().toLowerCase().replace(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-")),
  );
}

/** Blanks out fenced code, keeping the line numbers. */
function withoutFences(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, (block) => block.replace(/[^\n]/g, ""));
}

function isPage(file: ProjectFile): boolean {
  return file.path.endsWith(".md");
}
