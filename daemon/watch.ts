/**
 * `--watch`: reload when the configuration file changes.
 *
 * @module
 */
import { basename, dirname, resolve } from "node:path";
import type { Clock, Timer } from "../clock.ts";
import { LIMITS } from "../limits.ts";

/**
 * Calls `changed` once for each burst of changes to `file`. The folder is watched, because editors replace the file and a
 * watch on the file itself would go on watching the old one.
 *
 * @returns ends the watch
 */
export function watchFile(file: string, clock: Clock, changed: () => void): Disposable {
  const path = resolve(file);
  const watcher = Deno.watchFs(dirname(path), { recursive: false });
  let timer: Timer | undefined;
  void (async () => {
    for await (const event of watcher) {
      if (event.kind === "access" || !event.paths.some((it) => basename(it) === basename(path))) continue;
      timer?.cancel();
      timer = clock.after(LIMITS.watchQuietMs, changed);
    }
  })();
  return {
    [Symbol.dispose]: () => {
      timer?.cancel();
      watcher.close();
    },
  };
}
