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

/** Everything that some configuration uses. */
export const ALL_PERMISSIONS: readonly string[] = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-run",
  "--allow-ffi",
];
