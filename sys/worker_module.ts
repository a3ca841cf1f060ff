/**
 * Where a worker's module lies: beside the one that starts it, in the sources and in a bundle alike.
 *
 * @module
 */

/** Whether the program runs from its sources. @param base `import.meta.url` of a module of it */
export function isFromSources(base: string): boolean {
  return base.endsWith(".ts");
}

/**
 * @param name without an extension
 * @param base `import.meta.url` of the module that starts it
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(workerModule("worker", "file:///opt/engines/native/native.ts").href, "file:///opt/engines/native/worker.ts");
 * assert.equal(workerModule("worker", "file:///opt/lvsd.js").href, "file:///opt/worker.js");
 * ```
 */
export function workerModule(name: string, base: string): URL {
  return new URL(`./${name}.${isFromSources(base) ? "ts" : "js"}`, base);
}
