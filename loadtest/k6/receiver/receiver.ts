/**
 * The receiver of a load test: `/<behaviour>/<group>/<tenant>/<number>` accepts webhooks, `/stats`
 * and `/series` report them. Only healthy endpoints (`ok`) are counted.
 *
 * node loadtest/k6/receiver/receiver.ts [port] [host]
 */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Tally } from './tally.ts';

const SLOW_MS = 2000;
const HANG_MS = 60_000;
const BODY_BYTES_MAX = 1024 * 1024;

export interface LoadReceiver {
  url: string;
  tally: Tally;
  close(): Promise<void>;
}

/** @param port 0: a free one */
export async function startReceiver(port = 0, host = '127.0.0.1'): Promise<LoadReceiver> {
  const tally = new Tally();
  const server = createServer((request, response) => {
    route(tally, request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((ready, failed) => {
    server.once('error', failed);
    server.listen(port, host, 4096, ready);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    tally,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

async function route(
  tally: Tally,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [, behaviour = '', group = ''] = (request.url ?? '').split('/');
  const nowMs = Date.now();
  const body = await readBody(request);
  switch (behaviour) {
    case 'stats':
      return answerJson(response, { groups: tally.stats() });
    case 'series':
      return answerJson(response, tally.series());
    case 'ok': {
      const { data } = JSON.parse(body) as {
        data: { n: number; scenario: string; sent_ms: number };
      };
      tally.add(group, data.scenario, data.n, data.sent_ms, nowMs);
      response.writeHead(204).end();
      return;
    }
    case 'slow':
      setTimeout(() => response.writeHead(204).end(), SLOW_MS).unref();
      return;
    case 'error':
      response.writeHead(500).end();
      return;
    case 'hang':
      setTimeout(() => response.destroy(), HANG_MS).unref();
      return;
    default:
      response.writeHead(404).end();
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error('body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function answerJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

if (import.meta.main) {
  const [port = '8090', host = '0.0.0.0'] = process.argv.slice(2);
  const { url } = await startReceiver(Number(port), host);
  process.stdout.write(`receiver at ${url}\n`);
}
