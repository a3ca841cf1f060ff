import assert from "node:assert/strict";
import { ConfigError, SystemError } from "../../../errors.ts";
import { readConfigFile } from "../../../config/load.ts";
import { LIMITS } from "../../../limits.ts";

async function temporary(bytes: Uint8Array): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeFile(path, bytes);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

const isSystemError = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof SystemError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  assert.equal(error.exitCode, 3);
  return true;
};

Deno.test("file: its text, whatever its size below the limit", async () => {
  const text = "# ä€😀\n".repeat(50_000);
  await using file = await temporary(new TextEncoder().encode(text));
  assert.equal(await readConfigFile(file.path), text);
});

Deno.test("file: that does not exist", () =>
  assert.rejects(
    readConfigFile("/nowhere/lvsd.yaml"),
    isSystemError("FILE_NOT_FOUND", /no file \/nowhere\/lvsd.yaml/),
  ));

Deno.test("file: that is a directory", () =>
  assert.rejects(readConfigFile(Deno.cwd()), isSystemError("FILE_NOT_READABLE", /cannot be read/)));

Deno.test("file: that is too large, also one that hides its size", async () => {
  await using file = await temporary(new Uint8Array(LIMITS.configFileBytes + 1));
  await assert.rejects(readConfigFile(file.path), isSystemError("FILE_TOO_LARGE", /larger than 8 MiB/));
  if (Deno.build.os === "linux") {
    await assert.rejects(readConfigFile("/dev/zero"), isSystemError("FILE_TOO_LARGE", /is it a config file/));
  }
});

Deno.test("file: that is not UTF-8 has the place of the first wrong byte", async () => {
  await using file = await temporary(Uint8Array.of(0x61, 0x3a, 0x0a, 0x62, 0x3a, 0xff, 0x0a));
  await assert.rejects(readConfigFile(file.path), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.message, `${file.path}:2:3: the file is not UTF-8 text`);
    return true;
  });
});

Deno.test("file: in UTF-16, as Windows editors write it", async () => {
  await using file = await temporary(Uint8Array.of(0xff, 0xfe, 0x61, 0x00));
  await assert.rejects(readConfigFile(file.path), /UTF-16; save it as UTF-8/);
});
