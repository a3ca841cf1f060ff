/** Real servers for the integration tests, in the test's own process or as children that can be killed. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { PeerProcess } from "../peers/peer_process.ts";

/** Sends back what it gets. */
export interface EchoServer extends AsyncDisposable {
  /** `127.0.0.1:41001` */
  readonly address: string;
}

export async function startEcho(): Promise<EchoServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** An HTTP server as a process of its own, to be killed. */
export function startHttpProcess(): Promise<PeerProcess> {
  const program = fileURLToPath(new URL("./http_process.ts", import.meta.url));
  return PeerProcess.start((port) =>
    Promise.resolve({
      command: Deno.execPath(),
      args: ["run", "-A", program, `${port}`],
      ready: "accepts" as const,
    })
  );
}

/** A client connection that can be asked to prove that it still works. */
export class EchoClient {
  readonly #socket: Socket;
  #waiting: { expected: string; resolve: () => void; reject: (error: Error) => void } | undefined;
  #received = "";
  /** The connection broke or ended by itself. */
  broken: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => this.#take(new TextDecoder().decode(chunk)));
    socket.on("error", (error) => this.#break(error));
    socket.on("close", () => this.#break(new Error("closed by the other side")));
  }

  static async open(port: number): Promise<EchoClient> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const client = new EchoClient(socket);
    await once(socket, "connect");
    return client;
  }

  /** Sends a text and waits until it came back. */
  async exchange(text: string): Promise<void> {
    if (this.broken !== undefined) throw this.broken;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting = { expected: text, resolve, reject };
    this.#socket.write(text);
    await promise;
  }

  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#received += text;
    const waiting = this.#waiting;
    if (waiting === undefined || this.#received.length < waiting.expected.length) return;
    this.#waiting = undefined;
    const received = this.#received;
    this.#received = "";
    if (received === waiting.expected) waiting.resolve();
    else waiting.reject(new Error(`wrong echo: ${received}`));
  }

  #break(error: Error): void {
    this.broken ??= error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

/** Port of an address text. */
export function portOf(address: string): number {
  return Number(address.split(":").at(-1));
}
