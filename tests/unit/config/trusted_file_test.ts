/** A config file that somebody else could write is not what root runs. */
import assert from "node:assert/strict";
import { assertTrusted, findDistrust } from "../../../config/trusted_file.ts";

const ignore = Deno.build.os === "windows";
const me = Deno.uid() ?? 0;

async function withFile(run: (folder: string, file: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "lvsd-trust-" }));
  try {
    const file = `${folder}/lvsd.yaml`;
    await Deno.writeTextFile(file, "services: []\n", { mode: 0o644 });
    await Deno.chmod(file, 0o644);
    await run(folder, file);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "trust: a file and a folder that only their owner may write",
  ignore,
  fn: () => withFile(async (_, file) => assert.equal(await findDistrust(file, me), undefined)),
});

Deno.test({
  name: "trust: writable by the group or by everybody, and what mends it",
  ignore,
  fn: () =>
    withFile(async (folder, file) => {
      await Deno.chmod(file, 0o664);
      assert.deepEqual(await findDistrust(file, me), {
        path: file,
        writers: "group",
        problem: "is writable by its group (mode 0664)",
        remedy: `chmod g-w ${file}`,
      });
      await Deno.chmod(file, 0o644);
      await Deno.chmod(folder, 0o777);
      assert.deepEqual(await findDistrust(file, me), {
        path: folder,
        writers: "everybody",
        problem: "is writable by everybody (mode 0777)",
        remedy: `chmod go-w ${folder}`,
      });
      // As /tmp: others may add files there, and not replace this one.
      await Deno.chmod(folder, 0o1777);
      assert.equal(await findDistrust(file, me), undefined);
    }),
});

Deno.test({
  name: "trust: a link is as good as the folder it lies in and the file it leads to",
  ignore,
  fn: () =>
    withFile(async (folder, file) => {
      await Deno.mkdir(`${folder}/open`);
      await Deno.chmod(`${folder}/open`, 0o777);
      await Deno.symlink(file, `${folder}/open/link.yaml`);
      assert.equal((await findDistrust(`${folder}/open/link.yaml`, me))?.path, `${folder}/open`);
      await Deno.symlink(file, `${folder}/link.yaml`);
      assert.equal(await findDistrust(`${folder}/link.yaml`, me), undefined);
      await Deno.chmod(file, 0o666);
      assert.equal((await findDistrust(`${folder}/link.yaml`, me))?.path, file);
    }),
});

Deno.test({
  name: "trust: what belongs to somebody else, and the refusal that root reads",
  ignore: ignore || me !== 0,
  fn: () =>
    withFile(async (_, file) => {
      await Deno.chown(file, 65_534, null);
      await assert.rejects(assertTrusted(file), {
        code: "CONFIG_UNTRUSTED",
        message:
          `${file} belongs to user 65534, and root runs what ${file} says; mend it: chown root ${file}; ` +
          "or run lvsd as another user",
      });
      // Its owner may trust it.
      assert.equal(await findDistrust(file, 65_534), undefined);
    }),
});

Deno.test({
  name: "trust: a pipe has nobody who could have written into it before",
  ignore: Deno.build.os !== "linux",
  fn: async () => assert.equal(await findDistrust("/dev/null", me), undefined),
});
