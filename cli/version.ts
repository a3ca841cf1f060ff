/**
 * The version of lvsd.
 *
 * @module
 */
import metadata from "../deno.json" with { type: "json" };

/** As in deno.json. */
export const VERSION: string = metadata.version;

/**
 * How this lvsd was built, for `lvsd --version`: the built file says it, from the sources nobody does.
 *
 * @param build value of `LVSD_BUILD`
 */
export function versionLine(build: string | undefined): string {
  const kind = build === undefined || build === "" ? "from source" : build;
  return `lvsd ${VERSION} (${kind}; deno ${Deno.version.deno}, ${Deno.build.target})`;
}
