/** An echo server, and a client that compares nothing but returns what came back. */

/** Sends back what it hears until the end of the stream. */
export class Echo implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #ended: Promise<void>;

  constructor(hostname: string, port: number) {
    this.#listener = Deno.listen({ hostname, port });
    this.#ended = this.#serve();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #serve(): Promise<void> {
    for await (const connection of this.#listener) {
      connection.readable.pipeTo(connection.writable).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#ended;
  }
}

/** Sends all, ends its side, and returns all that comes back. */
export async function exchange(port: number, payload: Uint8Array): Promise<Uint8Array> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const written = (async () => {
    for (let at = 0; at < payload.length;) at += await connection.write(payload.subarray(at));
    await connection.closeWrite();
  })();
  const received = new Uint8Array(payload.length + 1);
  let length = 0;
  for (;;) {
    const count = await connection.read(received.subarray(length));
    if (count === null) break;
    length += count;
  }
  await written;
  return received.subarray(0, length);
}
