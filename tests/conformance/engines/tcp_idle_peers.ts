/**
 * Many clients and their real server in one process of their own. Prints the server's port, reads the port to connect to and
 * how many times, holds these connections, and answers each further line after one byte has gone there and back on every
 * one of them. Ends with its input.
 */
import { connect, createServer, type Socket } from "node:net";

/** Connects under way at once: fewer than any backlog holds. */
const AT_ONCE = 64;

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

class IdleClients {
  readonly #sockets: Socket[] = [];
  #answers = 0;
  #isBroken = false;
  #awaited: { count: number; resolve: () => void } | undefined;

  async open(port: number, count: number): Promise<void> {
    const openSome = async () => {
      while (this.#sockets.length < count) await this.#openOne(port);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, openSome));
  }

  #openOne(port: number): Promise<void> {
    const socket = connect({ host: "127.0.0.1", port });
    this.#sockets.push(socket);
    socket.on("data", (bytes) => this.#answered(bytes.length));
    socket.on("error", (error) => say(`broken: ${error.message}`));
    socket.once("close", () => this.#broken());
    return new Promise((resolve) => {
      socket.once("connect", resolve);
      socket.once("close", () => resolve());
    });
  }

  /** Said by then: the test fails, and must not wait for an answer that never comes. */
  #broken(): void {
    this.#isBroken = true;
    this.#awaited?.resolve();
  }

  #answered(bytes: number): void {
    this.#answers += bytes;
    if (this.#awaited !== undefined && this.#answers >= this.#awaited.count) this.#awaited.resolve();
  }

  async ping(): Promise<number> {
    this.#answers = 0;
    const count = this.#sockets.length;
    const all = new Promise<void>((resolve) => this.#awaited = { count, resolve });
    for (const socket of this.#sockets) socket.write("x");
    if (!this.#isBroken) await all;
    return count;
  }
}

if (import.meta.main) {
  const server = createServer((socket) => {
    socket.on("data", (bytes) => socket.write(bytes));
    socket.on("error", () => socket.destroy());
  });
  server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 }, () => {
    const address = server.address();
    say(typeof address === "object" ? `${address?.port}` : "");
  });
  const clients = new IdleClients();
  let isOpen = false;
  for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const [port = 0, count = 0] = line.split(" ").map(Number);
    if (!isOpen) await clients.open(port, count);
    isOpen = true;
    say(`${await clients.ping()}`);
  }
  Deno.exit();
}
