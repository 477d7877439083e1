/**
 * Steady events of quiet tenants and the time until their webhooks arrive: what others' load must
 * not move.
 */
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Api } from './api.ts';

const TENANTS = 10;

export class QuietLoad {
  private readonly api: Api;
  private readonly ratePerS: number;
  private readonly server: Server;
  private readonly sent = new Map<string, number>();
  private latencies: number[] = [];
  private timer: NodeJS.Timeout | undefined;
  private startedMs = 0;
  private published = 0;
  refused = 0;

  constructor(api: Api, ratePerS: number) {
    this.api = api;
    this.ratePerS = ratePerS;
    this.server = createServer((request, response) => {
      const sentMs = this.sent.get(request.headers['webhook-id'] as string);
      if (sentMs !== undefined) {
        this.latencies.push(performance.now() - sentMs);
        this.sent.delete(request.headers['webhook-id'] as string);
      }
      request.resume().once('end', () => response.writeHead(204).end());
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((ready) => this.server.listen(0, '127.0.0.1', ready));
    const { port } = this.server.address() as AddressInfo;
    for (let i = 0; i < TENANTS; i++) {
      await this.api.call('PUT', `/v1/tenants/quiet-${i}`, { name: `quiet ${i}` });
      const url = `http://127.0.0.1:${port}/quiet-${i}`;
      await this.api.call('POST', `/v1/tenants/quiet-${i}/endpoints`, { url });
    }
    this.startedMs = performance.now();
    this.timer = setInterval(() => this.publishDue(), 2);
  }

  /** The latencies since the last call, sorted, in milliseconds. */
  take(): number[] {
    const taken = this.latencies.toSorted((a, b) => a - b);
    this.latencies = [];
    return taken;
  }

  /** Events that were accepted and have not arrived. */
  get missing(): number {
    return this.sent.size;
  }

  pause(): void {
    clearInterval(this.timer);
  }

  close(): void {
    this.pause();
    this.server.close();
    this.server.closeAllConnections();
  }

  private publishDue(): void {
    const due = ((performance.now() - this.startedMs) / 1000) * this.ratePerS;
    while (this.published < due) void this.publish(this.published++);
  }

  private async publish(n: number): Promise<void> {
    const id = `quiet-event-${n}`;
    this.sent.set(id, performance.now());
    const event = { id, type: 'quiet.thing', data: { n, pad: 'x'.repeat(450) } };
    try {
      await this.api.call('POST', `/v1/tenants/quiet-${n % TENANTS}/events`, event);
    } catch {
      this.refused++;
      this.sent.delete(id);
    }
  }
}

/** @param sorted ascending */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
