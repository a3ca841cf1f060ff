/**
 * Recordings of the real ipvsadm: command, output, messages and exit code, one a line; what a command changed, the next
 * ones see.
 *
 * @module
 */
import { z } from "zod";

const command = z.object({
  section: z.string(),
  /** Words joined by blanks, or a list of words. */
  cmd: z.union([z.string(), z.array(z.string())]),
  rc: z.number().int(),
  stdout: z.string(),
  stderr: z.string(),
  stdin: z.string().optional(),
});

/** One reading of a rate series: the listings' row of one service, a constant number of packets being sent. */
const reading = z.object({
  section: z.string(),
  t: z.number(),
  rate_line: z.string(),
  stats_line: z.string(),
});

const sysctl = z.object({ section: z.string(), name: z.string(), default: z.string() });

/** Words of whoever recorded, or a measurement beside: nothing that a command has printed. */
const note = z.looseObject({ section: z.string().optional() })
  .refine((it) => !("cmd" in it), "a command has rc, stdout and stderr")
  .transform(({ section = "" }) => ({ section }));

export const toolLine = z.union([command, reading, sysctl, note]);
export type ToolLine = z.infer<typeof toolLine>;
export type ToolCommand = z.infer<typeof command>;
export type RateReading = z.infer<typeof reading>;

/** Words of a recorded command. */
export function wordsOf({ cmd }: ToolCommand): string[] {
  return typeof cmd === "string" ? cmd.split(/\s+/).filter((it) => it !== "") : [...cmd];
}
