/**
 * The tables of docs/config.md, made from the schema, so that they cannot say anything else.
 *
 * @module
 */
import { stringify } from "yaml";
import { referenceJsonSchema } from "./schema.ts";

/** The part of JSON Schema that the config's schema uses, with its own words for the reference. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly additionalProperties?: boolean | Node;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Node>>;
  readonly unit?: string;
  readonly defaultText?: string;
  readonly example?: unknown;
}

const COLUMNS: readonly string[] = ["key", "value", "default", "meaning", "example"];

/** Markdown: one heading and one table for each mapping, from the top of the file down. */
export function configReference(): string {
  const root: Node = referenceJsonSchema();
  const { admin = {}, log = {}, timeouts = {}, drain = {}, ipvs = {}, rules = {}, services = {} } =
    root.properties ?? {};
  const rule = root.$defs?.["rule"] ?? {};
  const inRule = rule.properties ?? {};
  const service = services.items ?? {};
  const inService = service.properties ?? {};
  const checks = root.$defs?.["healthCheck"]?.oneOf ?? [];
  const tcp = checks.find((it) => typeOf(it) === "tcp") ?? {};
  const shared = Object.keys(tcp.properties ?? {});
  return [
    ...section("admin", admin),
    ...section("log", log),
    ...section("timeouts", timeouts),
    ...section("drain", drain),
    ...section("rules", rules),
    ...section("rules.input and the other hooks", {
      ...mappingOf(rules.properties?.["input"]),
      description: "The chain of a hook. A list of rules alone has the policy `accept`.",
    }),
    ...section("rules.input.chain[]", rule),
    ...section("rules.input.chain[].target", {
      ...mappingOf(inRule["target"]),
      description: "A target that is not a word is a mapping with one of these keys.",
    }),
    ...section("rules.input.chain[].target.log", mappingOf(mappingOf(inRule["target"]).properties?.["log"])),
    ...section("rules.input.chain[].limit", mappingOf(inRule["limit"])),
    ...section("rules.input.chain[].connectionsAbove", mappingOf(inRule["connectionsAbove"])),
    ...section("services[]", {
      ...service,
      description: "One virtual service; `services` is a list of them.",
    }),
    ...section("services[].tcp", inService["tcp"] ?? {}),
    ...section("services[].tcp.keepAlive", inService["tcp"]?.properties?.["keepAlive"] ?? {}),
    ...section("services[].persistence", mappingOf(inService["persistence"])),
    ...section("services[].passive", mappingOf(inService["passive"])),
    ...section("services[].destinations[]", mappingOf(inService["destinations"]?.items)),
    ...section(
      "services[].destinations[].tunnelTo",
      mappingOf(inService["destinations"]?.items).properties?.["tunnelTo"] ?? {},
    ),
    ...section("healthCheck: every type", {
      ...tcp,
      properties: {
        ...tcp.properties,
        type: { enum: checks.map(typeOf), description: "What is done to find out." },
      },
      description:
        "Keys of every check, whatever its `type`. Type `tcp` has no others: it opens a TCP connection.",
    }),
    ...checks.filter((it) => typeOf(it) !== "tcp").flatMap((it) =>
      section(`healthCheck: type ${typeOf(it)}`, without(it, shared))
    ),
    ...section("ipvs", ipvs),
  ].join("\n");
}

function section(title: string, node: Node): string[] {
  const rows = Object.entries(node.properties ?? {}).map(([key, it]) =>
    cellsOf(key, it, node.required?.includes(key) ?? false)
  );
  const prose = node.description === undefined ? [] : [node.description, ""];
  return [`### ${title}`, "", ...prose, ...table([COLUMNS, ...rows]), ""];
}

function cellsOf(key: string, node: Node, required: boolean): string[] {
  return [
    `\`${key}\``,
    kindOf(node),
    required ? "**required**" : defaultOf(node),
    node.description ?? "",
    `\`${key}: ${inline(exampleOf(node))}\``,
  ].map((it) => it.replaceAll("|", "\\|"));
}

/** Columns in line, as the formatter wants them. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  const line = (row: readonly string[]) => `| ${row.map((it, i) => it.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  return [rows[0] ?? [], rule, ...rows.slice(1)].map(line);
}

/** What may stand there, in words. */
function kindOf(node: Node): string {
  if (node.$ref !== undefined) return node.$ref.endsWith("/rule") ? "rule" : "a check";
  if (node.unit !== undefined && node.type !== "integer") return node.unit;
  if (node.enum !== undefined) return node.enum.map((it) => `\`${it}\``).join(", ");
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(kindOf))].join(" or ");
  switch (node.type) {
    case "integer":
      return `${node.minimum} to ${node.maximum}${node.unit === undefined ? "" : ` ${node.unit}`}`;
    case "boolean":
      return "`true`, `false`";
    case "array":
      return `list of ${kindOf(node.items ?? {})}`;
    case "object":
      return typeof node.additionalProperties === "object" ? "mapping of names to text" : "mapping";
    default:
      return "text";
  }
}

function defaultOf({ default: byDefault, defaultText, anyOf }: Node): string {
  if (defaultText !== undefined) return defaultText;
  if (byDefault === undefined) return "none";
  if (byDefault === "") return "empty";
  if (!isEmpty(byDefault)) return `\`${inline(byDefault)}\``;
  // A mapping with keys of its own has its defaults in a table of its own.
  return anyOf === undefined ? "none" : "see below";
}

function exampleOf(node: Node): unknown {
  const inner = node.anyOf?.map(exampleOf).find((it) => it !== undefined && it !== "off");
  const usual = node.unit === "duration" ? node.default : undefined;
  const own = usual ?? node.example ?? node.default ?? node.enum?.[0] ?? node.const ?? node.minimum ?? inner;
  return own ?? (node.type === "boolean" ? true : undefined);
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function inline(value: unknown): string {
  const options = { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 } as const;
  return stringify(value, options).trimEnd();
}

function typeOf(check: Node): string {
  return check.properties?.["type"]?.const ?? "";
}

function mappingOf(node: Node | undefined): Node {
  return node?.anyOf?.find((it) => it.properties !== undefined) ?? {};
}

function without(node: Node, keys: readonly string[]): Node {
  const properties = Object.entries(node.properties ?? {}).filter(([key]) => !keys.includes(key));
  return { ...node, properties: Object.fromEntries(properties) };
}
