/** `--watch` notices what editors, links and ConfigMaps do to a file. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SystemClock } from "../../../clock.ts";
import { watchFile } from "../../../daemon/watch.ts";

/** Runs the step and waits until the watch has noticed it. */
type Notice = (step: () => Promise<void>) => Promise<void>;

async function watching(link: string, run: (notice: Notice) => Promise<void>): Promise<void> {
  let noticed = Promise.withResolvers<void>();
  using _watch = watchFile(link, new SystemClock(), () => noticed.resolve());
  await run(async (step) => {
    noticed = Promise.withResolvers();
    await step();
    await noticed.promise;
  });
}

Deno.test("watch: a file that is written, replaced, removed and there again", async () => {
  const folder = await Deno.makeTempDir();
  const file = join(folder, "lvsd.yaml");
  await Deno.writeTextFile(file, "1");
  await watching(file, async (notice) => {
    await notice(() => Deno.writeTextFile(file, "2"));
    await Deno.writeTextFile(`${file}~`, "3");
    await notice(() => Deno.rename(`${file}~`, file));
    await notice(() => Deno.remove(file));
    await notice(() => Deno.writeTextFile(file, "4"));
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("watch: a link's file, in another folder, is written; the link comes to name another file", async () => {
  const folder = await Deno.makeTempDir();
  for (const it of ["a", "b", "etc"]) await Deno.mkdir(join(folder, it));
  const [a, b, link] = ["a/x.yaml", "b/y.yaml", "etc/lvsd.yaml"].map((it) => join(folder, it));
  assert.ok(a !== undefined && b !== undefined && link !== undefined);
  for (const it of [a, b]) await Deno.writeTextFile(it, "1");
  await Deno.symlink(a, link);
  await watching(link, async (notice) => {
    await notice(() => Deno.writeTextFile(a, "2"));
    await Deno.symlink(b, `${link}~`);
    await notice(() => Deno.rename(`${link}~`, link));
    await notice(() => Deno.writeTextFile(b, "3"));
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("watch: a ConfigMap, whose link stays and whose ..data is replaced", async () => {
  const folder = await Deno.makeTempDir();
  for (const it of ["..1", "..2"]) {
    await Deno.mkdir(join(folder, it));
    await Deno.writeTextFile(join(folder, it, "lvsd.yaml"), it);
  }
  await Deno.symlink("..1", join(folder, "..data"));
  await Deno.symlink("..data/lvsd.yaml", join(folder, "lvsd.yaml"));
  await watching(join(folder, "lvsd.yaml"), async (notice) => {
    await Deno.symlink("..2", join(folder, "..tmp"));
    await notice(() => Deno.rename(join(folder, "..tmp"), join(folder, "..data")));
  });
  await Deno.remove(folder, { recursive: true });
});
