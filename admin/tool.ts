/**
 * Commands of ipvsadm on their way to a daemon. The grammar is the daemon's: here it is words and text.
 *
 * @module
 */
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

/** Whether what somebody sent is a request. */
export function isToolRequest(value: unknown): value is ToolRequest {
  if (typeof value !== "object" || value === null || !("words" in value) || !("stdin" in value)) return false;
  const { words, stdin } = value;
  return Array.isArray(words) && words.every((it) => typeof it === "string") && typeof stdin === "string";
}

/** Whether a parsed answer is one. */
export function isToolAnswer(value: Record<string, unknown>): boolean {
  return typeof value.code === "number" && typeof value.stdout === "string" &&
    typeof value.stderr === "string";
}
