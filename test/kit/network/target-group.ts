/**
 * A load balancer in front of pods, with the target states of an AWS Application Load Balancer. A
 * target gets requests only after several health checks in a row. A deregistered target gets them
 * until its deregistration has reached all parts of the balancer. Without a healthy target the
 * answer is 503.
 */
import { Agent, type IncomingMessage, type Server, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `initial` gets no request yet; `draining` gets no new one. */
export type TargetState = 'initial' | 'healthy' | 'draining';

export interface Target {
  readonly url: string;
  state: TargetState;
  passedChecks: number;
}

export interface TargetGroupOptions {
  readonly healthPath: string;
  readonly checkEveryMs: number;
  /** Health checks in a row until a target gets requests. */
  readonly healthyThreshold: number;
  /** How long a deregistered target still gets requests. */
  readonly propagationMs: number;
}

export class TargetGroup {
  private readonly options: TargetGroupOptions;
  private readonly server: Server;
  private readonly agent = new Agent({ keepAlive: true });
  private readonly targets = new Set<Target>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private next = 0;

  private constructor(options: TargetGroupOptions) {
    this.options = options;
    this.server = createServer((incoming, response) => {
      const healthy = [...this.targets].filter(({ state }) => state === 'healthy');
      const target = healthy[this.next++ % healthy.length];
      if (target === undefined) {
        incoming.resume();
        response.writeHead(503).end();
        return;
      }
      const { method, url, headers } = incoming;
      const onward = request(target.url + (url ?? ''), { method, headers, agent: this.agent });
      onward.once('response', (answer: IncomingMessage) => {
        response.writeHead(answer.statusCode ?? 502, { 'content-type': 'application/json' });
        answer.pipe(response);
      });
      onward.once('error', () => response.writeHead(502).end());
      incoming.pipe(onward);
    });
  }

  static async start(options: TargetGroupOptions): Promise<TargetGroup> {
    const group = new TargetGroup(options);
    await new Promise<void>((resolve) => void group.server.listen(0, '127.0.0.1', resolve));
    group.timers.add(setInterval(() => void group.check(), options.checkEveryMs));
    return group;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  register(url: string): Target {
    const target: Target = { url, state: 'initial', passedChecks: 0 };
    this.targets.add(target);
    return target;
  }

  deregister(target: Target): void {
    const timer = setTimeout(() => {
      target.state = 'draining';
      this.targets.delete(target);
    }, this.options.propagationMs);
    this.timers.add(timer);
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    this.agent.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => void this.server.close(resolve));
  }

  private async check(): Promise<void> {
    for (const target of this.targets) {
      const isHealthy = await fetch(target.url + this.options.healthPath).then(
        ({ ok }) => ok,
        () => false,
      );
      target.passedChecks = isHealthy ? target.passedChecks + 1 : 0;
      if (target.state === 'initial' && target.passedChecks >= this.options.healthyThreshold) {
        target.state = 'healthy';
      }
    }
  }
}
