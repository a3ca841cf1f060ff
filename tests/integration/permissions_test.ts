/** Every feature with exactly the permissions that `lvsd permissions` lists for it, and with one less. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../config/load.ts";
import { permissionsFor } from "../../daemon/permissions.ts";
import { freePort } from "../peers/free_port.ts";
import { startEcho } from "./echo_servers.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const ignore = Deno.build.os !== "linux";
const PATIENCE_MS = 20_000;

interface Outcome {
  readonly code: number;
  readonly log: string;
}

/** Runs lvsd with these flags and no others until it has said all of this, or has ended. */
async function lvsd(
  flags: readonly string[],
  words: readonly string[],
  said: readonly RegExp[],
  env: Record<string, string>,
): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--unstable-net", ...flags, MAIN, ...words],
    env: { NO_COLOR: "1", LVSD_SOCKET: "", ...env },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  let log = "";
  let isKilled = false;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    log += text;
    if (isKilled || !said.every((it) => it.test(log))) continue;
    isKilled = true;
    child.kill("SIGKILL");
  }
  clearTimeout(late);
  const { code } = await child.status;
  return { code, log };
}

/** The flags without one of their values, or without a flag as a whole. */
function without(flags: readonly string[], name: string, value?: string): string[] {
  const prefix = `--allow-${name}`;
  assert.ok(
    flags.some((it) => it.startsWith(prefix) && (value === undefined || it.includes(value))),
    `${value}`,
  );
  return flags.flatMap((it) => {
    if (!it.startsWith(prefix)) return [it];
    const rest = value === undefined
      ? []
      : it.slice(prefix.length + 1).split(",").filter((one) => one !== value);
    return rest.length === 0 ? [] : [`${prefix}=${rest.join(",")}`];
  });
}

Deno.test({
  name: "permissions: exactly the listed ones do, and one less is told by its name",
  ignore,
  // Long because: all cases share one setting of real servers, and the list of them is the test.
  fn: async (t) => {
    await using echo = await startEcho();
    const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const echoing = (async () => {
      for await (const [bytes, from] of udp) await udp.send(bytes, from);
    })();
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "lvsd-permissions-" }));
    const file = `${folder}/config/lvsd.yaml`;
    const [web, dns, admin] = [await freePort(), await freePort(), await freePort()];
    const server = `127.0.0.1:${(udp.addr as Deno.NetAddr).port}`;
    const check = { initialState: "STATE", interval: "100ms" };
    const text = JSON.stringify({
      admin: { listen: `127.0.0.1:${admin}`, socket: `${folder}/run/control.sock` },
      services: [{
        name: "web",
        listen: `127.0.0.1:${web}`,
        healthCheck: { type: "tcp", ...check },
        destinations: [
          { name: "dialled", address: echo.address },
          {
            name: "asked",
            address: "127.0.0.2:9",
            healthCheck: { type: "exec", command: ["/bin/true"], ...check },
          },
        ],
      }, {
        name: "dns",
        listen: `127.0.0.1:${dns}`,
        protocol: "udp",
        healthCheck: { type: "udp", send: "${LVSD_TEST_WORD}", expect: "ping", ...check },
        destinations: [{ name: "datagrams", address: server }],
      }],
    });
    await Deno.mkdir(`${folder}/config`);
    const write = (state: "up" | "down") => Deno.writeTextFile(file, text.replaceAll("STATE", state));
    const env = { LVSD_TEST_WORD: "ping" };
    const stateFile = `${folder}/state/rules`;
    await Deno.mkdir(`${folder}/state`);
    const config = loadConfig(text.replaceAll("STATE", "up"), file, () => "ping");
    const flags = permissionsFor(config, {
      variables: Object.keys(env),
      socketPath: undefined,
      stateFile,
      hasFfi: true,
    });
    const words = ["run", "-c", file, "--state", stateFile];

    await t.step("all of them", async () => {
      await write("down");
      const said = [/ ready: /, /dialled is up/, /asked is up/, /datagrams is up/];
      const { log } = await lvsd(flags, words, said, env);
      for (const it of said) assert.match(log, it);
      assert.doesNotMatch(log, /--allow|unbound|defect/);
      assert.match(log, /engine native for TCP/);
    });

    // The socket of the one just killed is still there, so that its successor asks whether anybody listens.
    await write("up");
    const client = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const dnsAddress = { transport: "udp", hostname: "127.0.0.1", port: dns } as const;
    // Nothing tells when the one just started listens: it is asked again and again.
    const asking = setInterval(() => void client.send(new Uint8Array([1]), dnsAddress).catch(() => {}), 50);
    const socket = `unix:${folder}/run/control.sock`;
    const cases: [name: string, value: string | undefined, said: RegExp][] = [
      ["env", undefined, /Deno does not allow env access to "\w+": start it with --allow-env/],
      ["env", "LVSD_TEST_WORD", /env access to "LVSD_TEST_WORD".*--allow-env/],
      ["env", "PATH", /asked is down: permission .*env access to "PATH".*--allow-env/],
      ["sys", "uid", /sys access to "uid".*--allow-sys/],
      ["sys", "networkInterfaces", /sys access to "networkInterfaces".*--allow-sys/],
      ["read", `${folder}/config`, /lvsd\.yaml.*--allow-read/],
      ["read", `${folder}/run`, /read access to ".*\/run.*--allow-read/],
      ["read", `${folder}/state`, /state file .*--allow-read/],
      ["write", `${folder}/run`, /write access to ".*\/run.*--allow-write/],
      ["net", `127.0.0.1:${web}`, /unbound.*service "web": Deno does not allow net access .*--allow-net/],
      ["net", `127.0.0.1:${dns}`, /unbound.*service "dns": Deno does not allow net access .*--allow-net/],
      ["net", `127.0.0.1:${admin}`, new RegExp(`net access to "127.0.0.1:${admin}".*--allow-net`)],
      ["net", echo.address, /dialled is down: permission .*--allow-net/],
      ["net", "0.0.0.0:0", /no socket for a new client: Deno does not allow .*"0\.0\.0\.0:0".*--allow-net/],
      ["net", socket, /net access to "unix:.*--allow-net/],
      ["net", `${socket}~/s`, /net access to "unix:.*~\/s".*--allow-net/],
      ["run", undefined, /asked is down: permission .*--allow-run/],
      ["read", PROGRAM, /engine portable for TCP: the native engine needs --allow-read=\S+ for its workers/],
      ["ffi", undefined, /engine portable for TCP: the native engine needs --allow-ffi/],
    ];
    for (const [name, value, said] of cases) {
      const title = value === undefined
        ? `without --allow-${name}`
        : `--allow-${name} without ${value.replace(folder, "FOLDER")}`;
      await t.step(title, async () => {
        const { log } = await lvsd(without(flags, name, value), words, [said], env);
        assert.match(log, said);
        assert.doesNotMatch(log, /\n {4}at |defect/);
      });
    }
    clearInterval(asking);
    client.close();
    udp.close();
    await echoing;
    await Deno.remove(folder, { recursive: true });
  },
});
