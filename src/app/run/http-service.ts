import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Service } from '#infra/service.ts';

/** How long clients that keep their connections have to leave them. */
const LEAVE_MAX_MS = 2000;
const LOOK_EVERY_MS = 20;

/** The public port. Several processes of one machine may share it: the kernel spreads the connections. */
export class HttpService implements Service {
  readonly name = 'http';
  private readonly deps: { app: FastifyInstance; host: string; port: number };

  constructor(deps: { app: FastifyInstance; host: string; port: number }) {
    this.deps = deps;
  }

  get port(): number {
    return (this.deps.app.server.address() as AddressInfo).port;
  }

  async start(): Promise<void> {
    const { app, host, port } = this.deps;
    await app.listen({ host, port });
  }

  /**
   * What is asked is answered, and each answer asks the client to leave its connection. Once all have left, or after
   * 2 s, the port is closed, and what is idle still. A connection that were closed at once could have a request on
   * its way: its client would see a reset, and not know what became of it. Who has not asked whole by half of the
   * time, or does not take its answer, is cut off: the services after this one need the rest.
   */
  async stop(deadlineMs: number): Promise<void> {
    const { app } = this.deps;
    const timer = setTimeout(() => app.server.closeAllConnections(), deadlineMs / 2);
    if (app.server.listening) await this.untilLeft(Math.min(LEAVE_MAX_MS, deadlineMs / 4));
    await app.close();
    clearTimeout(timer);
  }

  private async untilLeft(mostMs: number): Promise<void> {
    const { server } = this.deps.app;
    server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
      response.shouldKeepAlive = false;
    });
    const deadlineMs = performance.now() + mostMs;
    while ((await this.connections()) > 0 && performance.now() < deadlineMs) {
      await delay(LOOK_EVERY_MS);
    }
  }

  private connections(): Promise<number> {
    return new Promise((resolve) => {
      this.deps.app.server.getConnections((_error, count) => resolve(count));
    });
  }
}
