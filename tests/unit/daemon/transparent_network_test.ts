import assert from "node:assert/strict";
import { TransparentNetwork } from "../../../daemon/transparent_network.ts";
import { commandLine, TRANSPARENT_PIECES } from "../../../net/transparent_network.ts";

const UNDOS = TRANSPARENT_PIECES.map((it) => commandLine(it.undo)).toReversed();
const SET_UPS = TRANSPARENT_PIECES.map((it) => commandLine(it.setUp));

Deno.test("transparent network: leftovers go first, what was set up goes at the end", async () => {
  const ran: string[] = [];
  const run = (words: readonly string[]) => {
    ran.push(commandLine(words));
    return Promise.resolve("");
  };
  {
    await using _network = await TransparentNetwork.setUp(run);
    assert.deepEqual(ran.splice(0), [...UNDOS, ...SET_UPS]);
  }
  assert.deepEqual(ran, UNDOS);
});

Deno.test("transparent network: a command that fails is told, and nothing is left", async () => {
  const ran: string[] = [];
  const run = ([...words]: readonly string[]) => {
    ran.push(commandLine(words));
    return Promise.resolve(words.includes("add") && words.includes("-6") ? "Operation not permitted" : "");
  };
  await assert.rejects(
    TransparentNetwork.setUp(run),
    /--setup-network: ip -6 route add .*: Operation not permitted; it needs CAP_NET_ADMIN/,
  );
  assert.deepEqual(ran.slice(-UNDOS.length), UNDOS);
});
