/**
 * What Deno is asked for, so that lvsd may do its work and nothing else. docs/deploy.md tells why, feature by feature.
 *
 * @module
 */

/** Flags that are not permissions. */
export const RUNTIME_FLAGS: readonly string[] = [
  "--quiet",
  "--no-prompt",
  "--no-config",
  "--no-remote",
  "--no-npm",
  "--unstable-net",
];

/**
 * Everything that some configuration uses: the built file starts before it knows which. Addresses, files, programs of exec
 * checks and `${NAME}` can be any, and the system's certificates come with all of --allow-sys only. `lvsd permissions FILE`
 * tells the set of one file.
 */
export const ALL_PERMISSIONS: readonly string[] = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-run",
  "--allow-ffi",
];

/** Subcommands that read /proc and /sys, of which Deno allows no part alone. */
export const HOST_READERS: readonly string[] = ["doctor"];

/** What the launchers ask for when the first word is this one. */
export function permissionsOf(subcommand: string | undefined): readonly string[] {
  return HOST_READERS.some((it) => it === subcommand) ? ["--allow-all"] : ALL_PERMISSIONS;
}
