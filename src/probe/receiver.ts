import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Clock } from '#domain/clock.ts';
import { isLoopbackHost } from '#infra/http/loopback.ts';
import { receiveBody } from '#infra/http/client/receive-body.ts';
import { webhookFault } from '#wire/webhook/verify-webhook.ts';

const BODY_BYTES_MAX = 16 * 1024;
const CONNECTIONS_MAX = 256;
const REQUEST_TIMEOUT_MS = 10_000;

export interface ReceiverDeps {
  /** The URL that delivery uses; its port is the one to listen on. */
  url: string;
  /** The secret that signs webhooks to `/<tenant>`; undefined for tenants of other probes. */
  secretOf: (tenant: string) => string | undefined;
  /** Called for a webhook with a valid signature. */
  onWebhook: (tenant: string, id: string) => void;
  onInvalid: (fault: string) => void;
  clock: Clock;
}

/**
 * Receives the probe's webhooks, verifies them and answers 204. Listens on loopback if its URL is a
 * loopback address; otherwise on all addresses, because delivery runs on another host.
 */
export class ProbeHttpReceiver {
  private readonly deps: ReceiverDeps;
  private readonly server: Server;

  constructor(deps: ReceiverDeps) {
    this.deps = deps;
    this.server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      this.receive(request, response).catch(() => response.destroy());
    });
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  async start(): Promise<void> {
    const { hostname, port } = new URL(this.deps.url);
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      const bare = hostname.replace(/^\[|\]$/g, '');
      const host = isLoopbackHost(bare) ? { host: bare === '::1' ? bare : '127.0.0.1' } : {};
      this.server.listen({ port: Number(port || 80), ...host }, resolve);
    });
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await receiveBody(request, response, BODY_BYTES_MAX);
    if (body === undefined) return;
    const tenant = (request.url ?? '/').slice(1);
    const secret = this.deps.secretOf(tenant);
    if (request.method !== 'POST' || secret === undefined) {
      this.deps.onInvalid('not a path of this probe');
      response.writeHead(404).end();
      return;
    }
    const headers = request.headers as Record<string, string | undefined>;
    const fault = webhookFault(secret, headers, body, this.deps.clock.wallMs());
    if (fault !== undefined) {
      this.deps.onInvalid(fault);
      response.writeHead(401).end();
      return;
    }
    // Answer first: the round counts the arrival, so delivery need not wait for its bookkeeping.
    response.writeHead(204).end();
    this.deps.onWebhook(tenant, headers['webhook-id'] ?? '');
  }
}
