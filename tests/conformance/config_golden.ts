/**
 * Golden files of configs: `NAME.yaml` beside what is expected of it. `LVSD_UPDATE_GOLDEN=1` writes the expectations
 * anew; read the difference before you commit it.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { Config } from "../../config/model.ts";
import { IpAddress } from "../../net/address.ts";
import { type EndpointText, formatEndpoint } from "../../net/endpoint.ts";
import { Prefix } from "../../net/prefix.ts";

/** One config of a folder of golden files. */
export interface GoldenConfig {
  readonly name: string;
  readonly text: string;
  /** From its lines `# env: NAME=value`. */
  readonly env: (name: string) => string | undefined;
}

const FIXTURES = new URL("../fixtures/config/", import.meta.url);

/** Every config of a folder, by name. */
export function goldenConfigs(folder: string): GoldenConfig[] {
  return [...Deno.readDirSync(new URL(`${folder}/`, FIXTURES))]
    .filter((it) => it.name.endsWith(".yaml"))
    .map(({ name }) => {
      const text = Deno.readTextFileSync(new URL(`${folder}/${name}`, FIXTURES));
      const variables = new Map(
        [...text.matchAll(/^# env: (\w+)=(.*)$/gm)].map(([, key = "", value = ""]) => [key, value]),
      );
      return { name: name.slice(0, -".yaml".length), text, env: (key: string) => variables.get(key) };
    })
    .sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Compares with the golden file, or writes it. */
export function assertGolden(file: string | URL, actual: string): void {
  const url = typeof file === "string" ? new URL(file, FIXTURES) : file;
  if (isUpdate()) {
    Deno.writeTextFileSync(url, actual);
    return;
  }
  assert.ok(existsSync(url), `${url.pathname} is missing; LVSD_UPDATE_GOLDEN=1 writes it`);
  assert.equal(actual, Deno.readTextFileSync(url), `${url.pathname}: LVSD_UPDATE_GOLDEN=1 writes it anew`);
}

function isUpdate(): boolean {
  return Deno.env.get("LVSD_UPDATE_GOLDEN") === "1";
}

/** A validated config as readable JSON: addresses, prefixes, expressions and bytes as text. */
export function configJson(config: Config): string {
  return `${JSON.stringify(config, readable, 2)}\n`;
}

function readable(_key: string, value: unknown): unknown {
  if (value instanceof IpAddress || value instanceof Prefix || value instanceof RegExp) return String(value);
  if (value instanceof Uint8Array) {
    return `hex ${Array.from(value, (it) => it.toString(16).padStart(2, "0")).join(" ")}`;
  }
  const isEndpoint = typeof value === "object" && value !== null && "port" in value &&
    ("address" in value || "host" in value) && Object.keys(value).length === 2;
  return isEndpoint ? formatEndpoint(value as EndpointText) : value;
}
