/**
 * Arbitrary configs as plain values: nearly right ones, to be written as YAML or JSON.
 */
import fc from "fast-check";

const address = fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 5 }))
  .map(([host, port]) => `10.0.0.${host + 1}:${3_000 + port}`);

const destination = fc.oneof(
  address,
  fc.tuple(address, fc.nat(9)).map(([it, weight]) => `${it}@${weight}`),
  fc.record({
    address,
    weight: fc.option(fc.nat(100), { nil: 1 }),
    upperThreshold: fc.constantFrom(0, 50, 100),
    lowerThreshold: fc.constantFrom(0, 20),
  }).filter((it) => it.lowerThreshold <= it.upperThreshold),
);

const service = fc.record({
  listen: fc.constantFrom(":8082", "127.0.0.1:8080", "127.0.0.1:8081", "[::1]:8080", "192.0.2.1:80"),
  protocol: fc.constantFrom("tcp", "udp"),
  scheduler: fc.constantFrom("rr", "wrr", "lc", "wlc", "sh"),
  onDown: fc.constantFrom("quiesce", "remove"),
  healthCheck: fc.constantFrom(
    "off",
    { type: "tcp" },
    { type: "http", body: "ok" },
    { type: "http", body: "OK" },
    { type: "udp", send: { hex: "00" } },
  ),
  retries: fc.nat(3),
  persistence: fc.constantFrom("5m", "6m", { timeout: "5m" }),
  destinations: fc.uniqueArray(destination, {
    maxLength: 6,
    selector: (it) => (typeof it === "string" ? it : it.address).split("@")[0],
  }),
}, { requiredKeys: ["listen", "protocol"] });

/** Configs that are valid; two of them have much in common. */
export const plainConfig = fc.record({
  admin: fc.constantFrom({}, { listen: "off" }, { listen: "127.0.0.1:9999", token: "abc" }),
  log: fc.constantFrom({}, { level: "debug" }, { format: "json" }),
  timeouts: fc.constantFrom({}, { tcp: "1m" }),
  drain: fc.constantFrom({}, { spread: "1s" }),
  services: fc.uniqueArray(service, { maxLength: 4, selector: (it) => `${it.protocol} ${it.listen}` }),
});
