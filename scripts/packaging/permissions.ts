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
 * checks and `${NAME}` can be any; what lvsd asks of the system is known. `lvsd permissions FILE` tells the set of one file.
 */
export const ALL_PERMISSIONS: readonly string[] = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys=uid,networkInterfaces",
  "--allow-run",
  "--allow-ffi",
];
