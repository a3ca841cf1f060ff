/**
 * `/ipvsadm` and `/proc`: the table as the kernel's tool changes and shows it.
 *
 * @module
 */
import type { Hono } from "hono";
import { errorAnswer } from "./answer.ts";
import { isToolRequest, type ToolRunner } from "./tool.ts";

/** Adds the routes; `mayChange`: whoever can ask may also change rules. */
export function addToolRoutes(app: Hono, source: ToolRunner, mayChange: boolean): void {
  app.get("/proc/:view", (context) => {
    const text = source.proc(context.req.param("view"));
    return text === undefined ? context.notFound() : context.text(text);
  });
  app.post("/ipvsadm", async (context) => {
    if (!mayChange) {
      return errorAnswer(
        403,
        "FORBIDDEN",
        "rules are changed over the control socket, or over HTTP when admin.token is set",
      );
    }
    const request: unknown = await context.req.json().catch(() => undefined);
    if (!isToolRequest(request)) {
      return errorAnswer(400, "BAD_REQUEST", 'the body must be {"words": ["-L", "-n"], "stdin": ""}');
    }
    return context.json(await source.tool(request));
  });
}
