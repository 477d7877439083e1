/**
 * A receiver in its own process: until `dueMs` it answers 503 and asks to be tried again at
 * that time, then it takes everything. Its counts are sent to the parent twice a second.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

let dueMs = Number.POSITIVE_INFINITY;
let refused = 0;
let early = 0;
let lastMs = 0;
const seen = new Set<string>();
const delivered = new Set<string>();
let doubled = 0;

const server = createServer((request, response) => {
  const now = Date.now();
  const key = `${request.url} ${request.headers['webhook-id'] as string}`;
  request.resume();
  if (now < dueMs) {
    if (seen.has(key)) early++;
    seen.add(key);
    refused++;
    response.writeHead(503, { 'retry-after': new Date(dueMs).toUTCString() }).end();
    return;
  }
  if (delivered.has(key)) doubled++;
  delivered.add(key);
  lastMs = now;
  response.writeHead(204).end();
});

server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('message', (message: { dueMs: number }) => {
  dueMs = message.dueMs;
});
setInterval(() => {
  process.send?.({ refused, early, delivered: delivered.size, doubled, lastMs });
}, 500);
