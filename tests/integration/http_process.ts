/** A small HTTP server for `startHttpProcess`; the port is its argument. */
Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen: () => {} },
  () => new Response("ok\n"),
);
