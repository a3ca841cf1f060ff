/**
 * Every check type, with a server for each behaviour.
 *
 * @module
 */
import type { Dialer } from "../../../healthcheck/check.ts";
import { openDatagrams } from "../../../healthcheck/datagrams.ts";
import { type CheckOptions, makeCheck } from "../../../healthcheck/make_check.ts";
import type { Family } from "../../../net/address.ts";
import type { Case, Member, ServerUnderTest } from "./behaviour.ts";
import {
  answering,
  babbling,
  closedPort,
  closing,
  closingWhenAsked,
  endless,
  listenTcp,
  listenTls,
  resetting,
  resettingWhenAsked,
  silent,
} from "./tcp_servers.ts";
import { closedUdpPort, listenUdp } from "./udp_servers.ts";

const READY = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n";
const SICK = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick";
const ENDLESS_HEAD = "HTTP/1.1 200 OK\r\n\r\n";
const ZEROS = new Uint8Array(65_536);

type Listen = typeof listenTcp;

function on(listen: Listen, serve: Parameters<Listen>[1]): Case["serve"] {
  return (family) => listen(family, serve);
}

const tcp: Member = {
  name: "tcp",
  check: makeCheck({ type: "tcp" }),
  cases: {
    "answers right": { serve: on(listenTcp, answering("hello")), verdict: "up" },
    // The rest of its life is not the TCP check's business: it is up once it is connected.
    "answers wrong": { serve: on(listenTcp, answering("go away")), verdict: "up" },
    "refuses": { serve: closedPort, verdict: ["refused"] },
    "says nothing": { serve: on(listenTcp, silent), verdict: "up" },
    "resets": { cannot: "the connection stands before the reset: either may be seen" },
    "closes at once": { serve: on(listenTcp, closing), verdict: "up" },
    "closes when asked": { cannot: "asks nothing" },
    "sends garbage": { serve: on(listenTcp, babbling), verdict: "up" },
    "never stops": { cannot: "reads nothing" },
  },
};

function http(type: "http" | "https"): Member {
  const listen = type === "http" ? listenTcp : listenTls;
  const options: CheckOptions = {
    type,
    method: "GET",
    path: "/ready",
    host: "app.test",
    headers: {},
    status: [{ from: 200, to: 299 }],
    body: /^ready$/m,
    verify: false,
  };
  return {
    name: type,
    check: makeCheck(options),
    cases: {
      "answers right": { serve: on(listen, answering(READY)), verdict: "up" },
      "answers wrong": { serve: on(listen, answering(SICK)), verdict: ["status"] },
      "refuses": { serve: closedPort, verdict: ["refused"] },
      "says nothing": { serve: on(listen, silent), verdict: ["timeout"] },
      "resets": {
        serve: on(listen, resettingWhenAsked),
        verdict: type === "http" ? ["reset"] : ["reset", "closed"],
      },
      // Unread bytes turn a close into a reset, so it depends on who is faster.
      "closes at once": { serve: on(listenTcp, closing), verdict: ["closed", "reset", "tls"] },
      "closes when asked": { serve: on(listen, closingWhenAsked), verdict: ["closed"] },
      "sends garbage": {
        serve: on(listenTcp, babbling),
        verdict: type === "http" ? ["protocol"] : ["tls", "reset"],
      },
      "never stops": { serve: on(listen, endless(ENDLESS_HEAD, ZEROS)), verdict: ["body"] },
    },
  };
}

const endlessHeader: Member = {
  ...http("http"),
  name: "http, endless header",
  cases: {
    ...tcp.cases,
    ...Object.fromEntries(Object.keys(tcp.cases).map((name) => [name, { cannot: "see the http member" }])),
    "never stops": {
      serve: on(listenTcp, endless("HTTP/1.1 200 OK\r\n", new TextEncoder().encode("X-More: of it\r\n"))),
      verdict: ["protocol"],
    },
    "sends garbage": { serve: on(listenTcp, endless("", ZEROS)), verdict: ["protocol"] },
    "resets": { serve: on(listenTcp, resetting), verdict: ["reset"] },
  },
};

/** A dialer as it is without FFI. */
function withoutFfi(dialer: Dialer): Dialer {
  return {
    connectTcp: (target, signal) => dialer.connectTcp(target, signal),
    connectTls: (target, options, signal) => dialer.connectTls(target, options, signal),
    connectUdp: (target, signal) => openDatagrams(target, signal),
    run: (command, env, signal) => dialer.run(command, env, signal),
  };
}

const hearsClosedPorts = Deno.build.os === "linux";
const bytes = (text: string) => new TextEncoder().encode(text);

const udp: Member = {
  name: "udp",
  check: makeCheck({ type: "udp", send: bytes("ping"), expect: /^pong/ }),
  cases: {
    "answers right": {
      serve: (family) => listenUdp(family, (answer) => answer(bytes("pong 1"))),
      verdict: "up",
    },
    "answers wrong": {
      serve: (family) => listenUdp(family, (answer) => answer(bytes("go away"))),
      verdict: ["answer"],
    },
    "refuses": { serve: closedUdpPort, verdict: hearsClosedPorts ? ["refused"] : ["timeout"] },
    "says nothing": { serve: (family) => listenUdp(family, () => {}), verdict: ["timeout"] },
    "resets": { cannot: "UDP has no connections" },
    "closes at once": { cannot: "UDP has no connections" },
    "closes when asked": { cannot: "UDP has no connections" },
    "sends garbage": {
      serve: (family) => listenUdp(family, (answer) => answer(new Uint8Array(1_000).fill(0xfe))),
      verdict: ["answer"],
    },
    "never stops": {
      serve: (family) =>
        listenUdp(family, (answer) => {
          for (let i = 0; i < 50; i++) answer(ZEROS.subarray(0, 60_000));
        }),
      verdict: ["answer"],
    },
  },
};

const udpWithoutFfi: Member = {
  ...udp,
  name: "udp without FFI",
  through: withoutFfi,
  cases: { ...udp.cases, "refuses": { serve: closedUdpPort, verdict: ["timeout"] } },
};

const udpNoAnswer: Member = {
  ...udp,
  name: "udp, no answer expected",
  check: makeCheck({ type: "udp", send: bytes("ping") }),
  cases: {
    ...udp.cases,
    "answers wrong": {
      serve: (family) => listenUdp(family, (answer) => answer(bytes("what?"))),
      verdict: "up",
    },
    "refuses": { serve: closedUdpPort, verdict: hearsClosedPorts ? ["refused"] : "up" },
    "says nothing": { serve: (family) => listenUdp(family, () => {}), verdict: "up" },
    "sends garbage": {
      serve: (family) => listenUdp(family, (answer) => answer(new Uint8Array(1_000))),
      verdict: "up",
    },
    "never stops": { cannot: "takes the first datagram" },
  },
};

/** A program stands in for the server; the address is only handed to it. */
function program(script: string, verdict: Case["verdict"]): Case {
  const serve = async (family: Family): Promise<ServerUnderTest> => await closedPort(family);
  return {
    serve,
    verdict,
    check: makeCheck({ type: "exec", command: ["/bin/sh", "-c", script], environment: {} }),
  };
}

const exec: Member = {
  name: "exec",
  check: makeCheck({ type: "exec", command: ["true"], environment: {} }),
  cases: {
    "answers right": program('test "$LVSD_PORT" -gt 0 && test -n "$LVSD_ADDRESS"', "up"),
    "answers wrong": program("echo it is sick >&2; exit 3", ["exit-code"]),
    "refuses": {
      serve: closedPort,
      verdict: ["command"],
      check: makeCheck({ type: "exec", command: ["/no/such/program"], environment: {} }),
    },
    "says nothing": program("sleep 600 & sleep 600", ["timeout"]),
    "resets": program("kill -9 $$", ["exit-code"]),
    "closes at once": program("exec >&- 2>&-", "up"),
    "closes when asked": { cannot: "nobody asks a program" },
    "sends garbage": program("head -c 5000 /dev/urandom; exit 1", ["exit-code"]),
    "never stops": program("exec cat /dev/zero", ["timeout"]),
  },
};

export const MEMBERS: readonly Member[] = [
  tcp,
  http("http"),
  http("https"),
  endlessHeader,
  udp,
  udpWithoutFfi,
  udpNoAnswer,
  ...(Deno.build.os === "windows" ? [] : [exec]),
];
