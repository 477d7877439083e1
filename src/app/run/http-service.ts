import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '#domain/clock.ts';
import type { Service } from '#infra/service.ts';

/** Longest wait for clients to close their keep-alive connections, in milliseconds. */
const LEAVE_MAX_MS = 2000;
const POLL_EVERY_MS = 20;

export interface HttpServiceDeps {
  app: FastifyInstance;
  host: string;
  port: number;
  clock: Clock;
}

/**
 * The public port. Several processes of one machine may share it: the kernel spreads the
 * connections.
 */
export class HttpService implements Service {
  readonly name = 'http';
  private readonly deps: HttpServiceDeps;

  constructor(deps: HttpServiceDeps) {
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
   * Stops without resetting connections. Requests are still answered, each with a request to close
   * the connection. Once all clients have disconnected, or after 2 s, the port and all idle
   * connections are closed. Closing immediately could reset a request in transit, and its client
   * would not know whether it was processed. A client that has not sent its whole request within
   * half of the deadline, or does not read its response, is disconnected: the services that stop
   * later need the remaining time.
   */
  async stop(deadlineMs: number): Promise<void> {
    const { app } = this.deps;
    const timer = setTimeout(() => app.server.closeAllConnections(), deadlineMs / 2);
    if (app.server.listening) await this.untilLeft(Math.min(LEAVE_MAX_MS, deadlineMs / 4));
    await app.close();
    clearTimeout(timer);
  }

  private async untilLeft(mostMs: number): Promise<void> {
    const { app, clock } = this.deps;
    const { server } = app;
    server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
      response.shouldKeepAlive = false;
    });
    const deadlineMs = clock.monotonicMs() + mostMs;
    while ((await this.connections()) > 0 && clock.monotonicMs() < deadlineMs) {
      await delay(POLL_EVERY_MS);
    }
  }

  private connections(): Promise<number> {
    return new Promise((resolve) => {
      this.deps.app.server.getConnections((_error, count) => resolve(count));
    });
  }
}
