/**
 * Which program's file it is, said by its content, and its import.
 *
 * @module
 */
import { ValueError } from "../../errors.ts";
import type { Names } from "../names.ts";
import type { Import } from "./imported.ts";
import { importKeepalived } from "./keepalived.ts";
import type { IncludeReader } from "./keepalived_syntax.ts";
import { importLdirectord } from "./ldirectord.ts";
import { importRules } from "./rules.ts";

/** Kinds of files, by the first line that tells. */
const KINDS = [
  { kind: "rules", line: /^\s*(ipvsadm\s+)?-(A|a|-add-s\w+)\b/ },
  {
    kind: "keepalived",
    line: /^\s*(virtual_server(_group)?|global_defs|vrrp_\w+|real_server|include\w*)\b[^=]*$/,
  },
  {
    kind: "ldirectord",
    line: /^\s*(virtual6?|checktimeout|checkinterval|quiescent|autoreload|logfile|fallback)\s*=/,
  },
] as const;

/** What is needed to read a file. */
export interface ImportSurroundings {
  readonly names: Names;
  readonly includes: IncludeReader;
}

/**
 * Reads output of `ipvsadm -S`, a keepalived.conf or an ldirectord.cf.
 *
 * @throws {ValueError} `IMPORT_UNKNOWN`, `IMPORT_INVALID`
 */
export function importFile(
  text: string,
  file: string,
  { names, includes }: ImportSurroundings,
): Promise<Import> {
  // A program or an archive may have a line like one of a rule file.
  for (const line of text.includes("\0") ? [] : text.split("\n")) {
    const found = KINDS.find((it) => it.line.test(line));
    if (found?.kind === "rules") return importRules(text, file, names);
    if (found?.kind === "keepalived") return importKeepalived(text, file, includes);
    if (found?.kind === "ldirectord") return importLdirectord(text, file, names);
  }
  throw new ValueError(
    "IMPORT_UNKNOWN",
    `${file} is neither output of ipvsadm -S nor a keepalived.conf nor an ldirectord.cf`,
    { file },
  );
}
