/**
 * Commands of ipvsadm on their way to a daemon. The grammar is the daemon's: here it is words and text.
 *
 * @module
 */
import * as z from "zod";

/** What was typed. */
export interface ToolRequest {
  readonly words: readonly string[];
  /** Standard input, for `-R`. */
  readonly stdin: string;
}

/** What comes out. */
export interface ToolAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Who runs commands: the daemon. */
export interface ToolRunner {
  tool(request: ToolRequest): Promise<ToolAnswer>;
  /** Text of a view of `/proc/net`, undefined when there is none of this name. */
  proc(name: string): string | undefined;
}

export const toolRequest: z.ZodType<ToolRequest> = z.object({
  words: z.array(z.string()),
  stdin: z.string(),
});

/** Whether a parsed answer is one. */
export function isToolAnswer(value: Record<string, unknown>): boolean {
  return typeof value.code === "number" && typeof value.stdout === "string" &&
    typeof value.stderr === "string";
}
