import assert from "node:assert/strict";
import { SystemError } from "../../../errors.ts";
import { emulationOf } from "../../../daemon/emulation.ts";
import { packetObstacle } from "../../../daemon/engines.ts";
import { DaemonSetting } from "../../integration/daemon_setting.ts";

const DR = { name: "web", listen: "127.0.0.1:0", mode: "dr", destinations: [], healthCheck: "off" };

Deno.test("require: real refuses to start emulated, with the reason", async () => {
  await assert.rejects(DaemonSetting.start([{ ...DR, require: "real" }]), (error) => {
    assert.ok(error instanceof SystemError);
    assert.equal(error.code, "EMULATION_REFUSED");
    assert.match(
      error.message,
      /service "web" has require: real and would be emulated: dr needs the packet engine/,
    );
    assert.match(error.message, /section "packet"/);
    return true;
  });
});

Deno.test("require: real refuses a reload, and what runs goes on", async () => {
  await using setting = await DaemonSetting.start([DR]);
  await assert.rejects(
    setting.reload([{ ...DR, require: "real" }]),
    /nothing was changed: .*would be emulated/,
  );
  assert.equal(setting.service("web").emulated, true);
});

Deno.test("require: real is nothing to NAT", async () => {
  await using setting = await DaemonSetting.start([{ ...DR, mode: "nat", require: "real" }]);
  assert.equal(setting.service("web").emulated, false);
});

Deno.test("emulated: by method and engine, of the service or of a destination", () => {
  assert.equal(emulationOf(["nat", undefined], "native"), "");
  assert.equal(emulationOf(["dr", "tun"], "packet"), "");
  assert.match(emulationOf(["nat", "tun"], "native"), /^tun needs .* answers pass the director/);
  assert.match(emulationOf(["dr"], "hand-over"), /answers bypass the director/);
});

Deno.test({
  name: "emulated: the reason says why there are no packets: an interface that this host does not have",
  ignore: Deno.build.os !== "linux",
  fn() {
    const interfaces = [{ name: "no-such0", vlan: 0, addresses: ["10.0.0.1/24"] }];
    const obstacle = packetObstacle({ interfaces, routes: [], priority: "normal" });
    assert.match(obstacle, /no-such0/);
    assert.ok(emulationOf(["dr"], "native", obstacle).endsWith(`; why: ${obstacle}`));
  },
});
