/**
 * Shared keys from files.
 *
 * @module
 */
import { SystemError } from "../errors.ts";

/** Shorter ones can be guessed. */
const LEAST_KEY_BYTES = 16;
const RIGHTS_OF_OTHERS = 0o077;

/**
 * Reads a shared key; white space at its ends does not count.
 *
 * @throws {SystemError} `KEY_UNREADABLE`, `KEY_OPEN_TO_OTHERS`, `KEY_TOO_SHORT`
 */
export function readKeyFile(path: string): Uint8Array {
  let text: string;
  let mode: number | null;
  try {
    text = Deno.readTextFileSync(path).trim();
    mode = Deno.statSync(path).mode;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      const message = `there is no key file ${path}; make one with: openssl rand -hex 32`;
      throw new SystemError("KEY_UNREADABLE", message, { path }, error);
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new SystemError("KEY_UNREADABLE", `the key ${path} cannot be read: ${why}`, { path }, error);
  }
  if (mode !== null && Deno.build.os !== "windows" && (mode & RIGHTS_OF_OTHERS) !== 0) {
    throw new SystemError(
      "KEY_OPEN_TO_OTHERS",
      `the key ${path} can be read by others; chmod 600 ${path}`,
      { path },
    );
  }
  const key = new TextEncoder().encode(text);
  if (key.length >= LEAST_KEY_BYTES) return key;
  throw new SystemError(
    "KEY_TOO_SHORT",
    `the key ${path} has ${key.length} bytes, and at least ${LEAST_KEY_BYTES} are wanted: openssl rand -hex 32 > ${path}`,
    { path },
  );
}
