import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { ServerCertificate } from '#infra/http/server/server-certificate.ts';
import type { Service } from '#infra/service.ts';

/** The dependencies of a process, by name. The process is ready when all return true. */
export type ReadinessChecks = Record<string, () => boolean>;

export interface OpsServerDeps {
  host: string;
  port: number;
  registry: Registry;
  checks: ReadinessChecks;
  /** Undefined: the server speaks plain HTTP. */
  certificate?: ServerCertificate | undefined;
}

/**
 * Serves the private port of every process (OB-5). `/livez` reports only that the process runs, so
 * that a NATS outage restarts no process. `/readyz` reports whether all dependencies are available.
 * `/metrics` serves the metrics.
 */
export class OpsServer implements Service {
  readonly name = 'ops';
  private readonly deps: OpsServerDeps;
  private readonly server: Server;

  constructor(deps: OpsServerDeps) {
    this.deps = deps;
    const serve = (request: IncomingMessage, response: ServerResponse) =>
      void this.serve(request, response);
    const { certificate } = deps;
    if (certificate === undefined) {
      this.server = createServer(serve);
    } else {
      const server = createTlsServer(certificate.pair, serve);
      certificate.follow(server);
      this.server = server;
    }
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.deps.port, this.deps.host, () => resolve());
    });
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.answer(request.url ?? '/');
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(body);
  }

  private async answer(url: string): Promise<{ status: number; type: string; body: string }> {
    const path = url.split('?', 1)[0];
    if (path === '/livez') return { status: 200, type: 'text/plain', body: 'ok\n' };
    if (path === '/metrics') {
      const { registry } = this.deps;
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    }
    if (path === '/readyz') {
      const checks: Record<string, boolean> = {};
      for (const [name, check] of Object.entries(this.deps.checks)) checks[name] = check();
      const ready = Object.values(checks).every(Boolean);
      const body = JSON.stringify({ ready, checks });
      return { status: ready ? 200 : 503, type: 'application/json', body };
    }
    return { status: 404, type: 'text/plain', body: 'not found\n' };
  }
}
