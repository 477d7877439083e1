import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Service } from './service.ts';

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

  /** No new connections; what was asked is answered, then idle connections are closed. */
  async stop(): Promise<void> {
    await this.deps.app.close();
  }
}
