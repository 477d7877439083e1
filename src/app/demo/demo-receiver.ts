import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '#domain/clock.ts';
import { ConfigError } from '#domain/errors.ts';
import { receiveBody } from '#infra/http/client/receive-body.ts';
import { webhookFault } from '#wire/webhook/verify-webhook.ts';
import { type ReceivedWebhook, demoPage, demoStyle } from './demo-page.ts';

const KEPT_MAX = 100;
const KEPT_BODY_BYTES_MAX = 64 * 1024;
const BODY_BYTES_MAX = 8 * 1024 * 1024;

export interface DemoReceiver {
  /** Address of the page. */
  url: string;
  /** URL for the demo endpoint. */
  hookUrl: string;
  close(): Promise<void>;
}

export interface DemoReceiverDeps {
  port: number;
  /** The endpoint's secret; undefined until the endpoint exists. */
  secret: () => string | undefined;
  /** Prints one line for each webhook. */
  print: (line: string) => void;
  clock: Clock;
}

/**
 * Starts the demo receiver of `posthorn start`. It verifies webhooks sent to `/hook` and shows the
 * last 100 on its page, and as JSON at `/requests`. It listens on 127.0.0.1 only and keeps webhooks
 * in memory only.
 *
 * @throws ConfigError if the port is taken
 */
export async function startDemoReceiver(deps: DemoReceiverDeps): Promise<DemoReceiver> {
  const kept: ReceivedWebhook[] = [];
  const server = createServer({ requestTimeout: 30_000 }, (request, response) => {
    answer(request, response, kept, deps).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new ConfigError([`POSTHORN_RECEIVER_PORT: ${deps.port}: ${error.message}`])),
    );
    server.listen(deps.port, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/`,
    hookUrl: `http://127.0.0.1:${port}/hook`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  kept: ReceivedWebhook[],
  deps: DemoReceiverDeps,
): Promise<void> {
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-security-policy', "default-src 'none'; style-src 'self'");
  const route = `${request.method} ${(request.url ?? '/').split('?')[0]}`;
  if (route === 'POST /hook') return receive(request, response, kept, deps);
  if (route === 'GET /') send(response, 'text/html; charset=utf-8', demoPage(kept));
  else if (route === 'GET /style.css') send(response, 'text/css; charset=utf-8', demoStyle);
  else if (route === 'GET /requests') {
    send(response, 'application/json', JSON.stringify({ requests: kept }, null, 2));
  } else response.writeHead(404).end();
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  kept: ReceivedWebhook[],
  deps: DemoReceiverDeps,
): Promise<void> {
  const body = await receiveBody(request, response, BODY_BYTES_MAX);
  if (body === undefined) return;
  const webhook = describe(request, body, deps);
  kept.unshift(webhook);
  if (kept.length > KEPT_MAX) kept.pop();
  const { type, id, signature_fault: fault } = webhook;
  const verdict = fault === undefined ? 'valid' : `INVALID (${fault})`;
  deps.print(printable(`webhook received: ${type} ${id} signature ${verdict}`));
  // A receiver must refuse a webhook whose signature it cannot verify.
  response.writeHead(webhook.signature_valid ? 204 : 401).end();
}

function describe(request: IncomingMessage, body: Buffer, deps: DemoReceiverDeps): ReceivedWebhook {
  const secret = deps.secret();
  const nowMs = deps.clock.wallMs();
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
  const fault =
    secret === undefined
      ? 'the demo endpoint is not there yet'
      : webhookFault(secret, headers, body, nowMs);
  return {
    received_at: new Date(nowMs).toISOString(),
    id: headers['webhook-id'] ?? 'without id',
    type: eventType(body),
    signature_valid: fault === undefined,
    ...(fault === undefined ? {} : { signature_fault: fault }),
    headers,
    body: body.subarray(0, KEPT_BODY_BYTES_MAX).toString('utf8'),
  };
}

function eventType(body: Buffer): string {
  try {
    const { type } = JSON.parse(body.toString('utf8')) as { type?: unknown };
    if (typeof type === 'string') return type;
  } catch {
    // Not the Standard Webhooks envelope.
  }
  return 'of no type';
}

/** Escapes control characters, so that text from the network cannot control the terminal. */
function printable(line: string): string {
  return line.replace(/[^\x20-\x7e]/g, '?').slice(0, 300);
}
