import assert from "node:assert/strict";
import { FORWARDING_METHOD_NAMES, FORWARDING_METHODS } from "../../../modes/registry.ts";
import { destinationViolations, RULES, type ServiceDemand, serviceViolations } from "../../../modes/rules.ts";

const V4: ServiceDemand = { family: 4, port: 80, everyAddress: false, proxyHeader: false };

for (const name of FORWARDING_METHOD_NAMES) {
  const method = FORWARDING_METHODS[name];

  Deno.test(`mode ${name}: answers every rule with a reason`, () => {
    assert.equal(method.name, name);
    assert.deepEqual(Object.keys(method.answers).sort(), RULES.map((it) => it.id).sort());
    for (const { reason } of Object.values(method.answers)) assert.match(reason, /^[a-z].{20,}[^.]$/);
  });

  Deno.test(`mode ${name}: a plain service with a server on the service port is allowed`, () => {
    assert.deepEqual(serviceViolations(method, V4), []);
    assert.deepEqual(destinationViolations(method, V4, { family: 4, port: 80 }), []);
    assert.deepEqual(destinationViolations(method, V4, { family: undefined, port: 80 }), []);
  });

  Deno.test(`mode ${name}: what is refused is what the answers say`, () => {
    const refused = [
      ...serviceViolations(method, { ...V4, everyAddress: true, proxyHeader: true }),
      ...destinationViolations(method, V4, { family: 6, port: 8080 }),
    ];
    const expected = RULES.map((it) => it.id).filter((it) => !method.answers[it].allowed);
    assert.deepEqual(refused.map((it) => it.rule).sort(), expected.sort());
    for (const { rule, reason } of refused) assert.equal(reason, method.answers[rule].reason);
  });
}

Deno.test("modes: only NAT maps ports, and only DR keeps to one IP version", () => {
  const allowing = (rule: "port-mapping" | "mixed-families") =>
    FORWARDING_METHOD_NAMES.filter((it) => FORWARDING_METHODS[it].answers[rule].allowed);
  assert.deepEqual(allowing("port-mapping"), ["nat"]);
  assert.deepEqual(allowing("mixed-families"), ["nat", "tun"]);
});

Deno.test("modes: a service on every address has clients of both families", () => {
  const everywhere: ServiceDemand = { ...V4, family: 6, everyAddress: true };
  const found = destinationViolations(FORWARDING_METHODS.dr, everywhere, { family: 4, port: 80 });
  assert.deepEqual(found, []);
});
