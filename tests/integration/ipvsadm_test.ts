/** A daemon without rules, made a director by commands of ipvsadm alone. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { NamedServer } from "./daemon_setting.ts";
import { freePort } from "../peers/free_port.ts";
import { lvsdCommand, lvsdProgram } from "../peers/lvsd_command.ts";
import { PeerProcess } from "../peers/peer_process.ts";
import { ToolPeer } from "../peers/tool_peer.ts";

const CLIENTS = 50;
/** Of each client of the test with many. */
const ROUNDS = 4;

/** `lvsd run` with the control socket and the state file in a folder that the caller keeps. */
function startEmpty(folder: string): Promise<PeerProcess> {
  return PeerProcess.start((port) => {
    const words = ["run", "--admin", `127.0.0.1:${port}`, "--state", `${folder}/state`];
    const [command, ...args] = lvsdCommand(words);
    const env = { LVSD_SOCKET: `${folder}/control.sock` };
    return Promise.resolve({ command, args, env, ready: { line: / ready: services / } });
  });
}

/** A folder for control socket and state, gone at the end. */
function folderOf(stack: AsyncDisposableStack): string {
  const folder = Deno.makeTempDirSync({ prefix: "lvsd-tool-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  return folder;
}

async function ask(port: number): Promise<string> {
  const client = Deno.createHttpClient({});
  try {
    return await (await fetch(`http://127.0.0.1:${port}/`, { client })).text();
  } finally {
    client.close();
  }
}

Deno.test("everything is built by ipvsadm: a request comes through as soon as the command has returned", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = folderOf(stack);
  const [a, b] = [stack.use(new NamedServer("a")), stack.use(new NamedServer("b"))];
  await using _lvsd = await startEmpty(folder);
  const tool = new ToolPeer(`${folder}/control.sock`);
  const port = await freePort();
  const service = `-t 127.0.0.1:${port}`;
  assert.match(await tool.run("-L -n"), /^IP Virtual Server version 1\.2\.1 \(size=4096\)\n.*\n.*\n$/);
  await tool.run(`-A ${service} -s rr`);
  await tool.run(`-a ${service} -r ${a.address} -m`);
  assert.equal(await ask(port), "a");
  await tool.run(`-a ${service} -r ${b.address} -m -w 3`);
  assert.deepEqual(new Set([await ask(port), await ask(port)]), new Set(["a", "b"]));
  await tool.run(`-e ${service} -r ${a.address} -m -w 0`);
  assert.deepEqual([await ask(port), await ask(port)], ["b", "b"]);
  assert.match(await tool.run(`-L -n ${service}`), new RegExp(`-> ${a.address} +Masq +0 +0 +2`));
  assert.match(await tool.run("-L -n -c"), new RegExp(`TIME_WAIT.* 127\\.0\\.0\\.1:${port} .*${b.address}`));
  assert.match(await tool.proc("ip_vs"), /TCP {2}7F000001:[0-9A-F]{4} rr/);
  await tool.run(`-d ${service} -r ${b.address}`);
  await tool.run(`-D ${service}`);
  await assert.rejects(Deno.connect({ port }), Deno.errors.ConnectionRefused);
  assert.equal(await tool.refusal(`-D ${service}`), "No such service");
});

Deno.test("what cannot be served is kept, and says so", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = folderOf(stack);
  await using lvsd = await startEmpty(folder);
  const tool = new ToolPeer(`${folder}/control.sock`);
  const port = await freePort();
  await tool.run("-A -t 192.0.2.1:80 -s rr");
  await tool.run("-A --sctp-service 127.0.0.1:5000 -s rr");
  await tool.run("-a --sctp-service 127.0.0.1:5000 -r 10.0.0.1 -m");
  await tool.run("-A -f 7 -s rr");
  await tool.run("-A -t 127.0.0.1:0 -p");
  await tool.run(`-A -t 127.0.0.1:${port}`);
  // -g is the default and keeps the port: the real server is the listener itself.
  await tool.run(`-a -t 127.0.0.1:${port} -r 127.0.0.1`);
  const own = await tool.run("-L -n --lvsd");
  assert.match(own, /TCP 192\.0\.2\.1:80 rr .*unbound \(.*not an address of this host/);
  assert.match(
    own,
    /SCTP 127\.0\.0\.1:5000 rr owner=ipvsadm engine=none unbound \(SCTP .*forwards nothing\)/,
  );
  assert.match(own, /FWM 7 rr .*unbound/);
  assert.match(own, /127\.0\.0\.1:0 wlc .*unbound/);
  assert.match(own, new RegExp(`-> 127\\.0\\.0\\.1:${port} dr weight=0/1 loop emulated`));
  assert.match(
    own,
    /engine=(native|portable) listening emulated: dr needs the packet engine; .* why: .*section "packet"/,
  );
  await assert.rejects(ask(port), TypeError, "no traffic for a loop");
  const services = JSON.parse(await tool.run("-L --json"));
  assert.equal(services.length, 5);
  assert.match(lvsd.log, /forwards nothing/);
  const status = await (await fetch(`http://127.0.0.1:${lvsd.port}/status`)).json();
  assert.deepEqual(status.unserved.map((it: { service: string }) => it.service).length, 3);
  assert.equal(
    await tool.run("-S -n"),
    `-A -t 127.0.0.1:0 -s wlc -p 360
-A -t 127.0.0.1:${port} -s wlc
-a -t 127.0.0.1:${port} -r 127.0.0.1:${port} -g -w 1
-A -t 192.0.2.1:80 -s rr
-A --sctp-service 127.0.0.1:5000 -s rr
-a --sctp-service 127.0.0.1:5000 -r 10.0.0.1:5000 -m -w 1
-A -f 7 -s rr
`,
  );
});

Deno.test("a service by mark takes the clients to whom a rule gives the mark", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = folderOf(stack);
  const [own, marked] = [stack.use(new NamedServer("own")), stack.use(new NamedServer("marked"))];
  const port = await freePort();
  const admin = await freePort();
  const config = {
    admin: { listen: `127.0.0.1:${admin}`, socket: `${folder}/control.sock` },
    services: [{ name: "web", listen: `127.0.0.1:${port}`, destinations: [own.address] }],
    rules: { prerouting: [{ protocol: "tcp", ports: [port], target: { mark: 7 } }] },
  };
  await Deno.writeTextFile(`${folder}/lvsd.json`, JSON.stringify(config));
  await using _lvsd = await PeerProcess.start(() => {
    const [command, ...args] = lvsdCommand(["run", "-c", `${folder}/lvsd.json`]);
    return Promise.resolve({ command, args, ready: { line: / ready: services / } });
  });
  const tool = new ToolPeer(`${folder}/control.sock`);
  assert.equal(await ask(port), "own", "no service has the mark yet");
  await tool.run("-A -f 7 -s rr");
  await tool.run(`-a -f 7 -r ${marked.address} -m`);
  await tool.run("-A -f 8 -s rr");
  assert.equal(await ask(port), "marked");
  const listed = await tool.run("-L -n --lvsd");
  assert.match(listed, /FWM 7 rr owner=ipvsadm engine=rules listening/);
  assert.match(
    listed,
    /FWM 8 rr owner=ipvsadm engine=none unbound \(.*and none does: add one with target: \{mark: 8\}\)/,
  );
  const status = await (await fetch(`http://127.0.0.1:${admin}/status`)).json();
  assert.deepEqual(status.unserved.map((it: { service: string }) => it.service), ["FWM 8"]);
  await tool.run("-D -f 7");
  assert.equal(await ask(port), "own");
});

Deno.test("the kernel's refusals leave everything as it was", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = folderOf(stack);
  await using _lvsd = await startEmpty(folder);
  const tool = new ToolPeer(`${folder}/control.sock`);
  const service = `-t 127.0.0.1:${await freePort()}`;
  await tool.run(`-A ${service} -s wrr -p 60`);
  await tool.run(`-a ${service} -r 10.0.0.1:80 -m -w 5`);
  const before = await tool.run("-S -n");
  const refusals: [string, string][] = [
    [`-A ${service}`, "Service already exists"],
    [`-E ${service} -s quickest`, "Scheduler or persistence engine not found"],
    [`-E ${service} -s rr -p 5 --pe quick`, "Scheduler or persistence engine not found"],
    ["-A -t 127.0.0.1:1 -s quickest", "Scheduler or persistence engine not found"],
    [`-a ${service} -r 10.0.0.1:80 -m`, "Destination already exists"],
    [`-a ${service} -r 10.0.0.2:80 -m -y 3`, "Numerical result out of range"],
    [`-e ${service} -r 10.0.0.1:80 -m -x 3 -y 5`, "Numerical result out of range"],
    [
      `-a ${service} -r 224.0.0.1:80 -m`,
      "Invalid operation.  Possibly wrong module version, address not unicast, ...",
    ],
    [
      `-a ${service} -r 0.1.2.3:80 -m`,
      "Invalid operation.  Possibly wrong module version, address not unicast, ...",
    ],
    [`-e ${service} -r 10.0.0.9:80 -m`, "No such destination"],
    [`-d ${service} -r 10.0.0.9:80`, "No such destination"],
    ["-a -t 127.0.0.1:1 -r 10.0.0.1 -m", "Service not defined"],
    ["-d -t 127.0.0.1:1 -r 10.0.0.1", "Service not defined"],
    ["-E -t 127.0.0.1:1", "No such service"],
    ["-Z -t 127.0.0.1:1", "No such service"],
    ["-D -f 1", "No such service"],
    ["--stop-daemon master", "No daemon is running"],
    ["--start-daemon master --mcast-interface nosuch0", "No such device"],
  ];
  for (const [line, message] of refusals) assert.equal(await tool.refusal(line), message, line);
  assert.equal(await tool.refusal("-L -n -t 127.0.0.1:1", 1), "No such service");
  assert.equal(await tool.run("-S -n"), before);
});

Deno.test("50 clients change at once and lose no change", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = folderOf(stack);
  await using _lvsd = await startEmpty(folder);
  const socket = `${folder}/control.sock`;
  const service = `-t 127.0.0.1:${await freePort()}`;
  await new ToolPeer(socket).run(`-A ${service} -s wrr`);
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, i) => {
      const tool = new ToolPeer(socket);
      for (let round = 0; round < ROUNDS; round++) {
        const server = `10.1.${i}.${round + 1}:80`;
        await tool.run(`-a ${service} -r ${server} -m -w 1`);
        assert.match(await tool.run(`-L -n ${service}`), new RegExp(`-> ${server} +Masq +1 `));
        if (round % 2 === 0) await tool.run(`-e ${service} -r ${server} -m -w ${i + 2}`);
        else await tool.run(`-d ${service} -r ${server}`);
      }
    }),
  );
  const saved = await new ToolPeer(socket).run("-S -n");
  const wanted = Array.from(
    { length: CLIENTS },
    (_, i) => [1, 3].map((n) => `-a ${service} -r 10.1.${i}.${n}:80 -m -w ${i + 2}\n`).join(""),
  ).join("");
  assert.equal(saved, `-A ${service} -s wrr\n${wanted}`);
  const state = await Deno.readTextFile(`${folder}/state`);
  assert.equal(state.match(/^-a /gm)?.length, 2 * CLIENTS, "the state file has every change");
});

Deno.test("--state: a restart keeps everything, thresholds, time-outs and sync daemons too", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = folderOf(stack);
  const service = `-t 127.0.0.1:${await freePort()}`;
  const rules = `-A ${service} -s sh -b sh-port,flag-3 -p 60 -M 255.0.255.0
-a ${service} -r 10.0.0.1:80 -m -w 5 -x 9 -y 4
-a ${service} -r 10.0.0.2:81 -i --tun-type gue --tun-port 6080 --tun-csum
-A -u 127.0.0.1:${await freePort()} -s rr -o
-A -f 4294967295 -s dh -b flag-3
-A -f 1 -6 -s mh -p 100 -M 64
--set 100 50 20
--start-daemon master --mcast-interface lo --syncid 7 --mcast-ttl 3
`;
  const listings = [
    "-L -n",
    "-L -n --thresholds",
    "-L -n --tun-info",
    "-L -n --nosort",
    "-L --timeout",
    "-L --daemon",
  ];
  const seen: string[][] = [];
  for (const isFirst of [true, false]) {
    await using lvsd = await startEmpty(folder);
    const tool = new ToolPeer(`${folder}/control.sock`);
    if (isFirst) await tool.run("-R", rules);
    seen.push(await Promise.all(listings.map((line) => tool.run(line))));
    assert.match(await tool.run("-L --daemon"), /^master sync daemon \(mcast=lo, syncid=7, .*ttl=3\)\n$/);
    assert.doesNotMatch(lvsd.log, /left out/);
  }
  assert.deepEqual(seen[1], seen[0]);
});

Deno.test("--state: a damaged file is reported and nothing is started on a guess", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = folderOf(stack);
  {
    await using _lvsd = await startEmpty(folder);
    await new ToolPeer(`${folder}/control.sock`).run(`-A -t 127.0.0.1:${await freePort()}`);
  }
  const path = `${folder}/state`;
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replace("-s wlc", "-s rr"));
  const { code, stderr } = await lvsdProgram(["run", "--admin", "off", "--state", path], {
    env: { LVSD_SOCKET: `${folder}/other.sock` },
    stdout: "null",
    stderr: "piped",
  }).output();
  assert.equal(code, 3);
  assert.match(new TextDecoder().decode(stderr), /state file .* is damaged: .*; restore it from a backup/);
});

Deno.test("no daemon: the tool's own words and exit code", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = folderOf(stack);
  const { code, stderr } = await new Deno.Command(
    fileURLToPath(new URL("../../scripts/ipvsadm", import.meta.url)),
    {
      args: ["-L", "-n"],
      env: { LVSD_SOCKET: `${folder}/control.sock` },
      stdout: "null",
      stderr: "piped",
    },
  ).output();
  assert.equal(code, 2);
  assert.match(new TextDecoder().decode(stderr), /^Can't initialize ipvs: no lvsd is listening/);
});
