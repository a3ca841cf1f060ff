/** What every command's help has, whatever else it says. */
import assert from "node:assert/strict";
import { COMMANDS } from "../../../cli/commands.ts";

for (const { name, load } of COMMANDS) {
  Deno.test(`lvsd ${name} --help: usage, every option, exit codes, an example of it`, async () => {
    const { usage, options, takesWordsAsTheyAre } = await load();
    assert.match(usage, new RegExp(`^lvsd ${name} - `));
    assert.match(usage, new RegExp(`\nUsage: lvsd ${name}\\b`));
    assert.match(usage, /\nExit codes: 0 /);
    assert.match(usage, new RegExp(`\nExamples?:\n {2}.*lvsd ${name}\\b`));
    const wanted = takesWordsAsTheyAre === true ? [] : [...Object.keys(options), "help"];
    for (const option of wanted) {
      const short = option === "help" ? "h" : options[option]?.short;
      const shown = short === undefined ? ` {6}--${option}` : ` {2}-${short}, --${option}`;
      assert.match(usage, new RegExp(`^${shown}\\b`, "m"), `--${option} is not explained`);
    }
  });
}
