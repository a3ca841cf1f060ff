import { loadConfig } from "../../config/load.ts";
import { assertGolden, configJson, goldenConfigs } from "./config_golden.ts";

for (const { name, text, env } of goldenConfigs("right")) {
  Deno.test(`right config: ${name}`, () => {
    assertGolden(`right/${name}.json`, configJson(loadConfig(text, `${name}.yaml`, env)));
  });
}
