/**
 * Balances connections over several processes as a Kubernetes Service does: each new connection
 * goes to a ready process and stays there. A process that is about to end gets no new connection
 * from then on; one that is not ready, after two probes, as in the chart. Open connections are left
 * alone: the process closes them. The client sees a refused connection; the balancer does not
 * retry.
 */
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

const PROBE_EVERY_MS = 1000;
const PROBES_FAILED_MAX = 2;

export interface Backend {
  port: number;
  /** The readiness probe; an error counts as not ready. */
  isReady: () => Promise<boolean>;
  /** Whether the process was asked to stop, as a pod that is deleted. */
  isEnding: () => boolean;
}

export class Balancer {
  private readonly backends: readonly Backend[];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** Failed probes in a row, for each backend. No backend is ready before its first probe. */
  private readonly failed: number[];
  private next = 0;
  private timer: NodeJS.Timeout | undefined;

  private constructor(backends: readonly Backend[]) {
    this.backends = backends;
    this.failed = backends.map(() => PROBES_FAILED_MAX);
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.join(client),
    );
  }

  static async start(backends: readonly Backend[]): Promise<Balancer> {
    const balancer = new Balancer(backends);
    await balancer.probe();
    balancer.timer = setInterval(() => void balancer.probe(), PROBE_EVERY_MS);
    await new Promise<void>((ready) => balancer.server.listen(0, '127.0.0.1', ready));
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Probes every process for readiness. Also runs by itself each second. */
  async probe(): Promise<void> {
    await Promise.all(
      this.backends.map(async (backend, i) => {
        const isReady = await backend.isReady().catch(() => false);
        this.failed[i] = isReady ? 0 : (this.failed[i] ?? 0) + 1;
      }),
    );
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    for (const socket of this.sockets) socket.destroy();
    await new Promise((closed) => this.server.close(closed));
  }

  private join(client: Socket): void {
    const open = this.backends.filter(
      (one, i) => !one.isEnding() && (this.failed[i] ?? 0) < PROBES_FAILED_MAX,
    );
    const backend = open[this.next++ % open.length];
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

  /** Passes a FIN on as a FIN, and a reset as a reset. */
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
