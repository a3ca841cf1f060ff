/**
 * What the lab's client asks: pages over TCP, names over UDP, each from a port of its own.
 *
 * @module
 */
import { inside, run } from "./command.ts";
import { LAB_NAME } from "./servers.ts";
import { ADDRESS, namespaceOf, serverNumber, SERVERS } from "./topology.ts";

/**
 * Each connection from a port of its own: one that the system chose may have been had by an earlier connection, whose entry, in
 * FIN_WAIT for 120 s under DR and TUN, takes the new one to the same server, under whatever scheduler that was.
 */
export async function askHttp(family: 4 | 6, exchanges: number, firstPort: number): Promise<string[]> {
  const host = family === 4 ? ADDRESS.virtual4 : `[${ADDRESS.virtual6}]`;
  const requests = Array.from({ length: exchanges }, (_, i) => [
    ...(i === 0 ? [] : ["--next"]),
    ...["-s", "-g", "--max-time", "20", "--local-port", `${firstPort + i}`, `http://${host}/who`],
  ]);
  const { stdout } = await run(inside(namespaceOf("client"), ["curl", ...requests.flat()]));
  return stdout.split("\n").filter((it) => it !== "").map((it) => it.split(" ")[0] ?? "");
}

/**
 * Each question from a port of its own: dig chooses by chance, and a port that comes back within the 300 s of a UDP entry goes
 * to the same server, under whatever scheduler that was.
 */
export async function askDns(family: 4 | 6, exchanges: number, firstPort: number): Promise<string[]> {
  const [client, server] = family === 4
    ? [ADDRESS.client4, ADDRESS.virtual4]
    : [ADDRESS.client6, ADDRESS.virtual6];
  const questions = Array.from(
    { length: exchanges },
    (_, i) => `-b ${client}#${firstPort + i} @${server} +short +time=2 +tries=1 ${LAB_NAME}`,
  );
  const { stdout } = await run(
    inside(namespaceOf("client"), ["dig", "-f", "-"]),
    `${questions.join("\n")}\n`,
  );
  return stdout.split("\n").flatMap((line) => {
    const found = SERVERS.find((it) => line === `192.0.2.${serverNumber(it)}`);
    return found === undefined ? [] : [found];
  });
}
