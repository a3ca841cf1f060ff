/**
 * The version of lvsd.
 *
 * @module
 */
import metadata from "../deno.json" with { type: "json" };

/** As in deno.json. */
export const VERSION: string = metadata.version;
