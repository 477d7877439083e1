/**
 * Shares connections out over several processes as a Service of Kubernetes does: each new connection goes to one of
 * those that were ready at the last look, and stays there. What is open when a process stops being ready is left as
 * it is: that process ends it. A connection that is refused is the client's to see; nothing is tried again here.
 */
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

const LOOK_EVERY_MS = 500;

export interface Backend {
  port: number;
  /** Whether new connections may come to it. */
  isReady: () => Promise<boolean>;
}

export class Balancer {
  private readonly backends: readonly Backend[];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private ready: readonly Backend[] = [];
  private next = 0;
  private timer: NodeJS.Timeout | undefined;

  private constructor(backends: readonly Backend[]) {
    this.backends = backends;
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.join(client),
    );
  }

  static async start(backends: readonly Backend[]): Promise<Balancer> {
    const balancer = new Balancer(backends);
    await balancer.look();
    balancer.timer = setInterval(() => void balancer.look(), LOOK_EVERY_MS);
    await new Promise<void>((ready) => balancer.server.listen(0, '127.0.0.1', ready));
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Asks every process whether it is ready; by itself it does so twice a second. */
  async look(): Promise<void> {
    const answers = await Promise.all(
      this.backends.map((backend) => backend.isReady().catch(() => false)),
    );
    this.ready = this.backends.filter((_, i) => answers[i]);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    for (const socket of this.sockets) socket.destroy();
    await new Promise((closed) => this.server.close(closed));
  }

  private join(client: Socket): void {
    const backend = this.ready[this.next++ % this.ready.length];
    if (backend === undefined) {
      client.destroy();
      return;
    }
    const upstream = connect({
      port: backend.port,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    this.pipe(client, upstream);
    this.pipe(upstream, client);
  }

  /** An end is passed on as an end, and a reset as a reset. */
  private pipe(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.pipe(to);
    from.once('error', () => to.resetAndDestroy());
    from.once('close', () => {
      this.sockets.delete(from);
      to.destroySoon();
    });
  }
}
