import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** A relay in front of a server that can drop the server's data, as a broken network does. */
export interface TcpRelay {
  port: number;
  /** From now on, drops all data from the server; the connections stay open. */
  swallow(): void;
  /**
   * Closes the next connection on which a client sends this text, before the server receives it.
   */
  breakAt(text: string): void;
  /** Closes all connections; new ones are relayed again. */
  breakAll(): void;
  close(): Promise<void>;
}

export async function startTcpRelay(serverPort: number): Promise<TcpRelay> {
  const sockets = new Set<Socket>();
  let swallows = false;
  let breaksAt: string | undefined;
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    upstream.on('data', (bytes) => {
      if (!swallows) client.write(bytes);
    });
    client.on('data', (bytes) => {
      if (breaksAt === undefined || !bytes.includes(breaksAt)) upstream.write(bytes);
      else {
        breaksAt = undefined;
        client.destroy();
      }
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const breakAll = (): void => {
    swallows = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    swallow() {
      swallows = true;
    },
    breakAt(text) {
      breaksAt = text;
    },
    breakAll,
    async close() {
      breakAll();
      await new Promise((closed) => server.close(closed));
    },
  };
}
