/**
 * A name with several addresses, on real addresses of the loopback network: RFC 8305. Linux only.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { type Socket, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { systemClock } from '#infra/system-clock.ts';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { LenientOrigins } from '#infra/http/exchange/lenient-origins.ts';
import { limits } from '#domain/limits.ts';
import { Sender, type SenderOptions } from '#infra/http/client/sender.ts';
import { makeCertificate } from '../../../../kit/network/certificates.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { failureOf, LOOPBACK, send } from '../send-once.ts';
import { dialling, startSilentListener } from './silent-listener.ts';

/** A sender to `localhost`, which leads to these addresses. */
function senderOf(
  t: TestContext,
  origin: string,
  addresses: string[],
  options: Partial<SenderOptions> = {},
): Sender {
  const sender = new Sender({
    clock: systemClock,
    origin,
    guard: new EgressGuard(LOOPBACK),
    lookUpAddresses: (_hostname, _timeoutMs, found) => {
      const all = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
      process.nextTick(found, null, all);
    },
    lenientOrigins: new LenientOrigins(() => performance.now()).of('acme'),
    isResolverDown: () => false,
    timeoutMs: 15_000,
    ...options,
  });
  t.after(() => sender.close());
  return sender;
}

/** Starts a receiver on one address; returns its port and the number of its connections. */
async function startReceiver(
  t: TestContext,
  host: string,
  { port = 0, answer = 'HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n' } = {},
) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    if (answer !== '') socket.once('data', () => socket.end(answer));
  });
  server.listen(port, host);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as { port: number }).port, sockets };
}

const DELIVERED = { ok: true, status: 204 };

test('a slow try continues when later addresses are dead', async (t) => {
  const slow = await startSilentListener(t, ['127.0.0.2']);
  const { port } = slow;
  await startSilentListener(t, ['127.0.0.3'], { port });
  const sender = senderOf(t, `http://localhost:${port}`, ['127.0.0.2', '127.0.0.3']);
  const sent = send(sender);
  await waitUntil(() => dialling(port).includes('127.0.0.3'));
  slow.resume();
  assert.deepEqual((await sent).outcome, DELIVERED);
  // The losing try has ended too.
  await waitUntil(() => dialling(port).length === 0);
});

test('a dead first address delays a delivery and does not fail it', async (t) => {
  const { port } = await startSilentListener(t, ['127.0.0.2']);
  await startReceiver(t, '127.0.0.3', { port });
  const sender = senderOf(t, `http://localhost:${port}`, ['127.0.0.2', '127.0.0.3']);
  assert.deepEqual((await send(sender)).outcome, DELIVERED);
});

test('the next address is dialled when one refuses', async (t) => {
  const { port } = await startReceiver(t, '127.0.0.4');
  const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
  assert.deepEqual(
    (await send(senderOf(t, `http://localhost:${port}`, addresses))).outcome,
    DELIVERED,
  );
});

test('the last address gets its turn when there are more dead addresses than tries', async (t) => {
  const dead = Array.from({ length: limits.dialTriesMax + 1 }, (_, n) => `127.0.1.${n + 1}`);
  const { port } = await startSilentListener(t, dead);
  await startReceiver(t, '127.0.2.1', { port });
  const sender = senderOf(t, `http://localhost:${port}`, [...dead, '127.0.2.1'], {
    timeoutMs: 5000,
  });
  let most = 0;
  let ended = false;
  const watched = waitUntil(() => {
    most = Math.max(most, dialling(port).length);
    return ended;
  });
  const { outcome } = await send(sender);
  ended = true;
  await watched;
  assert.deepEqual(outcome, DELIVERED);
  assert.equal(most, limits.dialTriesMax);
});

test('all addresses share one time limit', async (t) => {
  const dead = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
  const { port } = await startSilentListener(t, dead);
  const options = { timeoutMs: 600 };
  const sender = senderOf(t, `http://localhost:${port}`, dead, options);
  const { kind, detail } = failureOf(await send(sender));
  assert.equal(kind, 'connect');
  assert.equal(detail, 'no connection was made in time');
  assert.deepEqual(dialling(port), []);
});

test('the time limit of the attempt ends every try', async (t) => {
  const dead = ['127.0.0.2', '127.0.0.3'];
  const { port } = await startSilentListener(t, dead);
  const limit = new AbortController();
  const sent = send(senderOf(t, `http://localhost:${port}`, dead), limit.signal);
  await waitUntil(() => dialling(port).length === 2);
  limit.abort();
  assert.equal(failureOf(await sent).kind, 'timeout');
  await waitUntil(() => dialling(port).length === 0);
});

test('a forbidden address is not dialled along with an allowed one', async (t) => {
  const forbidden = await startReceiver(t, '127.0.0.2');
  const allowed = await startReceiver(t, '127.0.0.3', { port: forbidden.port });
  const guard = new EgressGuard('127.0.0.3/32');
  const addresses = ['127.0.0.2', '127.0.0.3'];
  const sender = senderOf(t, `http://localhost:${forbidden.port}`, addresses, { guard });
  assert.deepEqual((await send(sender)).outcome, DELIVERED);
  assert.equal(forbidden.sockets.length, 0);
  assert.equal(allowed.sockets.length, 1);
});

test('the error of the first address is reported when all refuse', async (t) => {
  const { port } = await startSilentListener(t, ['127.0.0.9']);
  const sender = senderOf(t, `http://localhost:${port}`, ['127.0.0.2', '127.0.0.3']);
  const { kind, detail } = failureOf(await send(sender));
  assert.equal(kind, 'connect');
  assert.equal(detail, 'the connection was refused (ECONNREFUSED)');
});

test('the next address is dialled when one accepts and never begins TLS', async (t) => {
  const mute = await startReceiver(t, '127.0.0.2', { answer: '' });
  const certificate = makeCertificate();
  const server = createHttpsServer(certificate, (request, response) => {
    request.resume().once('end', () => response.writeHead(204).end());
  });
  server.listen(mute.port, '127.0.0.3');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const secureContext = createSecureContext({ ca: certificate.cert });
  const addresses = ['127.0.0.2', '127.0.0.3'];
  const sender = senderOf(t, `https://localhost:${mute.port}`, addresses, { secureContext });
  assert.deepEqual((await send(sender)).outcome, DELIVERED);
});
