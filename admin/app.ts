/**
 * The admin API as one function from request to answer; `server.ts` puts it on a port and on the control socket.
 *
 * @module
 */
import { Hono } from "hono";
import { EXIT, LvsdError } from "../errors.ts";
import { errorAnswer } from "./answer.ts";
import { refuseCrossSite, requireLoopbackHost, requireToken } from "./guard.ts";
import type { RequestHandler } from "./http_request.ts";
import type { StatusSource } from "./source.ts";
import { addSysctlRoute } from "./sysctl_route.ts";
import type { ToolRunner } from "./tool.ts";
import { addToolRoutes } from "./tool_routes.ts";

/**
 * Who may use an app. `owner`: whoever can connect (the control socket, whose file mode decides). `loopback`: this
 * host, asked for by a loopback name. `token`: whoever has it.
 */
export type Access =
  | { readonly kind: "owner" }
  | { readonly kind: "loopback" }
  | { readonly kind: "token"; readonly token: string };

export interface AdminAppOptions {
  readonly source: StatusSource & ToolRunner;
  readonly version: string;
  readonly access: Access;
  /** Told of an error that is a defect; the client gets a plain 500. */
  readonly onDefect: (error: unknown) => void;
}

const INDEX: readonly (readonly [method: "GET" | "POST", path: string, summary: string])[] = [
  ["GET", "/healthz", "200 while the process lives"],
  ["GET", "/readyz", "200 when every service can serve, else 503 with the ones that cannot"],
  ["GET", "/status", "everything, as JSON"],
  ["GET", "/metrics", "Prometheus text format"],
  ["GET", "/sysctl", "the switches of net.ipv4.vs.*, with their effect here"],
  ["POST", "/sysctl", 'set one: {"name": "drop_entry", "value": "1"}'],
  ["GET", "/rules", "rule chains and their counters, as JSON"],
  ["POST", "/rules/zero", "the same, and the counters begin at 0"],
  ["GET", "/record", "the flight recorder, as a script"],
  ["GET", "/explain", "?flow=...: where a flow would go, and why"],
  ["GET", "/explain/packet", "?flow=...[&bytes=N][&interfaceName=...]: the same with the packet's way"],
  ["GET", "/proc/ip_vs", "as under /proc/net; also ip_vs_conn, ip_vs_stats and the others there"],
  ["POST", "/reload", "read the config file again; 422 and no change when it has mistakes"],
  [
    "POST",
    "/ipvsadm",
    'one command: {"words": ["-L", "-n"], "stdin": ""}; needs the control socket or a token',
  ],
];

/** Makes the app; it holds no state of its own. */
export function createAdminApp(options: AdminAppOptions): RequestHandler {
  const { source, version, access, onDefect } = options;
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    context.header("lvsd-version", version);
    context.header("cache-control", "no-store");
    context.header("x-content-type-options", "nosniff");
  });
  if (access.kind === "loopback") app.use(requireLoopbackHost());
  if (access.kind === "token") app.use(requireToken(access.token));
  app.use(refuseCrossSite());

  app.get("/", (context) => context.text(indexPage(version)));
  addRoutes(app, source);
  addSysctlRoute(app, source);
  // Without a token the address is open to every user of this host.
  addToolRoutes(app, source, access.kind !== "loopback");

  refuseOtherMethods(app);
  app.notFound((context) =>
    errorAnswer(404, "NOT_FOUND", `nothing at ${context.req.path}; GET / lists what is here`)
  );
  app.onError((error) => defectAnswer(error, onDefect));
  return async (request) => await app.fetch(request);
}

function addRoutes(app: Hono, source: StatusSource): void {
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/readyz", (context) => {
    const readiness = source.readiness();
    return context.json(readiness, readiness.ready ? 200 : 503);
  });
  app.get("/status", (context) => context.json(source.status()));
  app.get("/metrics", async (context) => {
    // With the first scrape: prom-client brings more to load than all the rest of the API.
    const { METRICS_CONTENT_TYPE, renderMetrics } = await import("./metrics.ts");
    const text = await renderMetrics(source.status(), source.readiness());
    return context.body(text, 200, { "content-type": METRICS_CONTENT_TYPE });
  });
  app.get("/rules", (context) => context.json(source.rules()));
  app.post("/rules/zero", (context) => context.json(source.zeroRules()));
  app.get("/record", (context) => context.text(source.record()));
  app.get("/explain/packet", async (context) => {
    const { flow = "", bytes, interfaceName } = context.req.query();
    const wish = {
      ...(bytes === undefined ? {} : { bytes: Number(bytes) }),
      ...(interfaceName === undefined ? {} : { interfaceName }),
    };
    return context.json(await source.explainPacket(flow, wish));
  });
  app.get("/explain", (context) => context.json(source.explain(context.req.query("flow") ?? "")));
  app.post("/reload", async (context) => {
    const outcome = await source.reload();
    return context.json(outcome, outcome.ok ? 200 : 422);
  });
}

function refuseOtherMethods(app: Hono): void {
  for (const [path, methods] of methodsByPath()) {
    const allow = methods.map((it) => it === "GET" ? "GET, HEAD" : it).join(", ");
    app.all(path, (context) => {
      const answer = errorAnswer(
        405,
        "METHOD_NOT_ALLOWED",
        `${path} does not take ${context.req.method}, only ${allow}`,
      );
      answer.headers.set("allow", allow);
      return answer;
    });
  }
}

function methodsByPath(): Map<string, string[]> {
  const methods = new Map<string, string[]>([["/", ["GET"]]]);
  for (const [method, path] of INDEX) methods.set(path, [...methods.get(path) ?? [], method]);
  return methods;
}

function defectAnswer(error: unknown, onDefect: (error: unknown) => void): Response {
  // What was asked is at fault, or what it depends on.
  if (error instanceof LvsdError) {
    return errorAnswer(error.exitCode === EXIT.failed ? 422 : 500, error.code, error.message);
  }
  onDefect(error);
  return errorAnswer(500, "DEFECT", "a defect in lvsd; the daemon's log has the details");
}

function indexPage(version: string): string {
  const lines = INDEX.map(([method, path, summary]) => `${method.padEnd(4)}  ${path.padEnd(11)}  ${summary}`);
  return `lvsd ${version}\n\n${lines.join("\n")}\n`;
}
