/**
 * `--watch`: reload when the configuration file changes.
 *
 * @module
 */
import { basename, dirname, resolve } from "node:path";
import type { Clock, Timer } from "../clock.ts";
import { LIMITS } from "../limits.ts";

/**
 * Calls `changed` once for each burst of changes to `file`. Folders are watched, because editors replace the file and a
 * watch on the file itself would go on watching the old one. Behind a link two are: the link's own, where it may come to
 * name another file (a ConfigMap of Kubernetes does so by a link between the two), and that of the file it names.
 *
 * @returns ends the watch
 */
export function watchFile(file: string, clock: Clock, changed: () => void): Disposable {
  return new FileWatch(resolve(file), clock, changed);
}

class FileWatch implements Disposable {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #own: Deno.FsWatcher;
  /** The file itself, where links end; undefined while there is none. */
  #real: string | undefined;
  #behind: Deno.FsWatcher | undefined;
  #timer: Timer | undefined;

  constructor(path: string, clock: Clock, changed: () => void) {
    this.#path = path;
    this.#clock = clock;
    this.#changed = changed;
    this.#own = Deno.watchFs(dirname(path), { recursive: false });
    this.#look();
    void this.#follow(this.#own, path);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#own.close();
    this.#behind?.close();
  }

  async #follow(watcher: Deno.FsWatcher, path: string): Promise<void> {
    for await (const { kind, paths } of watcher) {
      if (kind === "access") continue;
      const isOurs = paths.some((it) => basename(it) === basename(path));
      if (!this.#look() && !isOurs) continue;
      this.#timer?.cancel();
      this.#timer = this.#clock.after(LIMITS.watchQuietMs, this.#changed);
    }
  }

  /** Whether the name has come to stand for another file. */
  #look(): boolean {
    const real = realPathOf(this.#path);
    if (real === undefined || real === this.#real) return false;
    this.#real = real;
    this.#behind?.close();
    this.#behind = dirname(real) === dirname(this.#path) ? undefined : tryWatch(dirname(real));
    if (this.#behind !== undefined) void this.#follow(this.#behind, real);
    return true;
  }
}

function realPathOf(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Undefined where Deno may read the file's own folder only: the link itself is watched all the same. */
function tryWatch(folder: string): Deno.FsWatcher | undefined {
  try {
    return Deno.watchFs(folder, { recursive: false });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
