/** Ports that a test may come back to. */

/**
 * A port below those of outgoing sockets: nobody is given it once it is let go.
 *
 * @param tryOut opens it and closes it
 */
export function quietPort(tryOut: (port: number) => void): number {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    try {
      tryOut(port);
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
