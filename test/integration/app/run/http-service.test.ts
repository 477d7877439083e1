import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type IncomingMessage, get } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { createApp } from '#infra/http/server/app.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { HttpService } from '#src/app/run/http-service.ts';

const settings = {
  readTimeoutMs: 300_000,
  idleTimeoutMs: 300_000,
  writeTimeoutMs: 300_000,
};

test('a stop asks clients to close their keep-alive connections before it closes them', async (t) => {
  const app = createApp({ clock: systemClock, settings, log: createLog('silent') });
  const service = new HttpService({ clock: systemClock, app, host: '127.0.0.1', port: 0 });
  await service.start();
  const { port } = service;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(async () => {
    agent.destroy();
    await service.stop(0);
  });
  const ask = (): Promise<IncomingMessage> =>
    new Promise((answered, failed) => {
      const request = get({ port, host: '127.0.0.1', path: '/health', agent }, (response) => {
        response.resume().once('end', () => answered(response));
      });
      request.once('error', failed);
    });
  const first = await ask();
  assert.equal(first.headers['connection'], 'keep-alive');

  const stopping = service.stop(60_000);
  const last = await ask();
  assert.equal(last.statusCode, 200);
  assert.equal(last.headers['connection'], 'close');
  await stopping;
  await assert.rejects(ask(), { code: 'ECONNREFUSED' });
});

test('an incomplete request does not delay the stop', { timeout: 60_000 }, async (t) => {
  const app = createApp({ clock: systemClock, settings, log: createLog('silent') });
  const reached = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  app.get('/slow', async () => {
    reached.resolve();
    await finish.promise;
    return { ok: true };
  });
  app.post('/upload', () => ({}));
  const service = new HttpService({ clock: systemClock, app, host: '127.0.0.1', port: 0 });
  await service.start();
  t.after(() => app.server.closeAllConnections());
  const halfSent = connect(service.port, '127.0.0.1');
  halfSent.on('error', () => undefined).resume();
  halfSent.write('POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
  const requested = fetch(`http://127.0.0.1:${service.port}/slow`);
  await reached.promise;
  const stopped = service.stop(10_000);
  finish.resolve();
  assert.deepEqual(await (await requested).json(), { ok: true }, 'an accepted request is answered');
  await stopped;
  if (!halfSent.destroyed) await once(halfSent, 'close');
});
