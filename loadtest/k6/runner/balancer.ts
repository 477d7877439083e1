/**
 * Shares connections out over several processes as a Service of Kubernetes does: each new connection goes to one that
 * is ready, and stays there. One that is to end is out at once; one that does not say that it is ready, after two
 * probes, as the chart has it. What is open then is left as it is: the process ends it. A connection that is refused
 * is the client's to see; nothing is tried again here.
 */
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

const PROBE_EVERY_MS = 1000;
const PROBES_FAILED_MAX = 2;

export interface Backend {
  port: number;
  /** Its readiness probe; what it throws is a no. */
  isReady: () => Promise<boolean>;
  /** It was told to end: a pod that is being deleted. */
  isEnding: () => boolean;
}

export class Balancer {
  private readonly backends: readonly Backend[];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** Of each backend, in a row. Nobody is ready before the first probe. */
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

  /** Asks every process whether it is ready; by itself it does so each second. */
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
