/** Waits with an end for what nobody tells of: hosts of a lab, programs in other processes. */
import assert from "node:assert/strict";

/** Longest wait, milliseconds: on a busy machine a daemon takes seconds to start. */
const WAIT_MS = 20_000;
const TRY_MS = 50;

/** Waits for something that has to become true. @param more what else to say when it does not */
export async function eventually(
  what: string,
  isSo: () => Promise<boolean>,
  more: () => string = () => "",
): Promise<void> {
  const untilMs = performance.now() + WAIT_MS;
  while (!await isSo()) {
    if (performance.now() > untilMs) assert.fail(`not within ${WAIT_MS / 1_000} s: ${what} ${more()}`);
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
}
