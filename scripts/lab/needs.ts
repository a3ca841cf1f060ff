/**
 * What a lab needs of the computer it runs on.
 *
 * @module
 */
import { run } from "./command.ts";

const PROGRAMS = ["ip", "nginx", "dnsmasq", "curl", "dig", "tcpdump", "ethtool"] as const;

/** Why no lab can be built here; undefined when one can. */
export async function missingForLab(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "network namespaces are Linux's";
  if (Deno.uid() !== 0) return "network namespaces need root";
  for (const program of PROGRAMS) {
    if ((await run(["sh", "-c", `command -v ${program}`])).code !== 0) return `${program} is not installed`;
  }
  const name = `lvsd-probe-${Deno.pid}`;
  const probe = await run(["ip", "netns", "add", name]);
  await run(["ip", "netns", "del", name]);
  return probe.code === 0 ? undefined : `no network namespace: ${probe.stderr.trim()}`;
}
