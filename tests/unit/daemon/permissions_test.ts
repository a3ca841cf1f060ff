/** The table of permissions in the docs, the wrapper and the built file say the same. */
import assert from "node:assert/strict";
import { loadConfig } from "../../../config/load.ts";
import { FEATURES } from "../../../daemon/permission_table.ts";
import { permissionsFor } from "../../../daemon/permissions.ts";
import { ALL_PERMISSIONS } from "../../../scripts/packaging/permissions.ts";

const DOCS = "docs/deploy.md";

/** Rows of cells without their padding. */
function rowsOf(text: string): string[][] {
  const lines = text.split("\n").filter((it) => it.startsWith("|"));
  return lines.map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
}

Deno.test("permissions: the table in docs/deploy.md is the one of the program", async () => {
  const text = await Deno.readTextFile(DOCS);
  const [, section = ""] = text.split("\n## Permissions\n");
  const [head, rule, ...rows] = rowsOf(section.split("\n## ")[0] ?? "");
  assert.deepEqual(head, ["Feature", "Permissions", "Without"]);
  assert.ok(rule?.every((it) => /^-+$/.test(it)));
  assert.deepEqual(rows, FEATURES.map((it) => [it.name, `\`${it.permissions.join(" ")}\``, it.without]));
});

Deno.test("permissions: ./lvsd asks for what the built file asks for", async () => {
  const script = await Deno.readTextFile("lvsd");
  const [, flags] = /^permissions='([^']+)'$/m.exec(script) ?? [];
  assert.equal(flags, ["--no-prompt", ...ALL_PERMISSIONS].join(" "));
  assert.doesNotMatch(script, / -A /);
});

Deno.test("permissions: deno task start asks for those of its config", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  const { command } = tasks.start;
  assert.match(
    command,
    /\$\(deno run .* main\.ts permissions config\.example\.yaml\) main\.ts run -c config\.example\.yaml$/,
  );
  assert.doesNotMatch(command, /-A|--allow-all/);
});

Deno.test("permissions: a tunnel socket needs its peer and its key", () => {
  const tunnelTo = { port: 7100, keyFile: "/etc/lvsd/tunnel.key" };
  const services = [{
    listen: "10.0.0.1:80",
    mode: "tun",
    destinations: [{ address: "10.0.0.2", tunnelTo }],
  }];
  const config = loadConfig(JSON.stringify({ services }), "", () => undefined);
  const flags = permissionsFor(config, { variables: [], socketPath: undefined, hasFfi: false });
  assert.ok(
    flags.some((it) => it.startsWith("--allow-net=") && it.includes("10.0.0.2:7100")),
    flags.join(" "),
  );
  assert.ok(flags.some((it) => it.startsWith("--allow-read=") && it.includes("/etc/lvsd/tunnel.key")));
});
