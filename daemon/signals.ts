/**
 * Signals: SIGTERM and SIGINT drain, a second one ends at once, SIGHUP reloads.
 *
 * @module
 */

/** What the signals ask for. */
export interface SignalActions {
  drain(signal: Deno.Signal): void;
  endNow(signal: Deno.Signal): void;
  reload(): void;
}

/**
 * Installs the handlers. Do this first of all: Deno needs a descriptor for them and may have none left later.
 *
 * @returns removes them again
 */
export function installSignals(actions: SignalActions): Disposable {
  let asked = false;
  const end = (signal: Deno.Signal) => () => {
    if (asked) return actions.endNow(signal);
    asked = true;
    actions.drain(signal);
  };
  const handlers: [Deno.Signal, () => void][] = Deno.build.os === "windows"
    // Windows knows no SIGTERM and no SIGHUP; `lvsd reload` works there.
    ? [["SIGINT", end("SIGINT")], ["SIGBREAK", end("SIGBREAK")]]
    : [["SIGTERM", end("SIGTERM")], ["SIGINT", end("SIGINT")], ["SIGHUP", () => actions.reload()]];
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]: () => {
      for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
    },
  };
}
