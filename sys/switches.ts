/**
 * Switches of the host's kernel.
 *
 * @module
 */
import { ProcessCalls } from "./process_calls.ts";

/** Text of a switch such as `net.ipv4.tcp_fastopen`, of this network namespace; undefined when it cannot be read. Linux only. */
export function readSwitch(name: string): string | undefined {
  using calls = ProcessCalls.open();
  const bytes = calls.readKernelFile(`/proc/sys/${name.replaceAll(".", "/")}`, 4_096);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes).trim();
}
