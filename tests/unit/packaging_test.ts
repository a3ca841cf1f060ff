/** The built file has everything that the sources have. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { WORKER_MODULES } from "../../scripts/packaging/bundle.ts";
import { isCode, readProject } from "../tidy/project.ts";

Deno.test("packaging: every worker that the sources start is bundled beside the program", () => {
  const started = readProject(".").filter((it) => isCode(it) && !/^(tests|bench)\//.test(it.path)).flatMap(
    ({ path, text }) =>
      [...text.matchAll(/new Worker\(\s*(?:workerModule\("(\w+)")?/g)].map(([, name]) => {
        assert.ok(name !== undefined, `${path}: start workers by workerModule(), which a bundle can follow`);
        return join(dirname(path), `${name}.ts`);
      }),
  );
  assert.deepEqual(started.toSorted(), [...WORKER_MODULES].toSorted());
});
