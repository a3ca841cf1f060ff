/**
 * Captures of a real kernel director, read and checked: what a folder is, the content of its case.json says.
 *
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { type CapturedFrame, readPcap } from "./pcap.ts";

const step = z.object({
  /** Seconds since 1970, when the step was done. */
  t: z.number(),
  step: z.string(),
  rc: z.number().int().optional(),
  out: z.string().optional(),
  err: z.string().optional(),
});
const recordedCase = z.object({ case: z.string(), steps: z.array(step) });

export type CaptureStep = z.infer<typeof step>;

/** One case with the frames that the director saw on its interfaces. */
export interface CaptureRecording {
  readonly name: string;
  readonly path: string;
  readonly steps: readonly CaptureStep[];
  /** By the director's interface. */
  readonly frames: ReadonlyMap<string, readonly CapturedFrame[]>;
}

const DIRECTOR_CAPTURE = /^director-(\w+)\.pcap(\.gz)?$/;

/** The case that a file's text describes; undefined when it describes something else. */
export function parseCase(text: string): z.infer<typeof recordedCase> | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    return recordedCase.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Reads the captures beside a case. @throws {ValueError} `RECORDING_INVALID` */
export async function readCapture(
  directory: string,
  { case: name, steps }: z.infer<typeof recordedCase>,
): Promise<CaptureRecording> {
  const frames = new Map<string, CapturedFrame[]>();
  for await (const entry of Deno.readDir(directory)) {
    const [, link] = DIRECTOR_CAPTURE.exec(entry.name) ?? [];
    if (link !== undefined) frames.set(link, await readPcap(join(directory, entry.name)));
  }
  return { name, path: directory, steps, frames };
}
