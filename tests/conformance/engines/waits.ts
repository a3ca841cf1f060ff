/** Waits with an end: a test that waits for what never comes says what that was. */

/** Longest test, milliseconds: beyond it something is awaited that never comes. */
export const TEST_MS = 300_000;
/** Longest wait for something that takes microseconds on a quiet machine. */
const SOON_MS = 5_000;

/** The same as the promise, unless that takes too long: then an error says what was awaited. */
export async function within<T>(what: string, waitMs: number, awaited: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not in ${waitMs} ms: ${what}`)), waitMs);
  try {
    return await Promise.race([awaited, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves once something is so that no event tells of. */
export async function eventually(what: string, met: () => boolean): Promise<void> {
  const untilMs = performance.now() + SOON_MS;
  while (!met()) {
    if (performance.now() > untilMs) throw new Error(`not in ${SOON_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
