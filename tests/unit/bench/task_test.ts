/** What every program of the bench says about itself, and to a wrong command line. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const PROGRAMS = {
  main: "bench",
  udp: "bench:udp",
  soak: "bench:soak",
  packet: "bench:packet",
  start: "bench:start",
};

async function start(
  program: string,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const path = fileURLToPath(new URL(`../../../bench/${program}.ts`, import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", path, ...args],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

for (const [program, task] of Object.entries(PROGRAMS)) {
  Deno.test(`${task}: --help has an example; a wrong option is one line and exit code 2`, async () => {
    const help = await start(program, "--help");
    assert.equal(help.code, 0, help.err);
    assert.ok(help.out.startsWith(`usage: deno task ${task} `), help.out);
    assert.match(help.out, /\nExample:\n {2}.*deno task /);
    assert.deepEqual(await start(program, "--hlep"), {
      code: 2,
      out: "",
      err: `${task}: unknown option "--hlep"; did you mean "--help"?\nTry: deno task ${task} --help\n`,
    });
  });
}

Deno.test("bench:soak: takes minutes, and nothing else", async () => {
  for (
    const [words, says] of [[["--minutes", "0"], /--minutes "0" is not a number above 0/], [
      ["2"],
      /got 2/,
    ]] as const
  ) {
    const { code, err } = await start("soak", ...words);
    assert.equal(code, 2);
    assert.match(err, says);
  }
});

Deno.test("bench:packet: an unknown mode or figure is told with the near one", async () => {
  const mode = await start("packet", "dt");
  assert.match(
    mode.err,
    /^bench:packet: there is no mode "dt"; there are nat, dr, tun; did you mean "dr"\?\n/,
  );
  const figure = await start("packet", "--figures", "upload,donwload");
  assert.match(figure.err, /no figure "donwload".*did you mean "download"\?\n/);
});
