import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, get } from 'node:http';
import { test } from 'node:test';
import { createApp } from '#infra/http/app.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { HttpService } from '#src/app/http-service.ts';

test('who keeps a connection is asked to leave it before it is closed', async (t) => {
  const settings = {
    POSTHORN_HTTP_READ_TIMEOUT_MS: 30_000,
    POSTHORN_HTTP_IDLE_TIMEOUT_MS: 30_000,
    POSTHORN_HTTP_WRITE_TIMEOUT_MS: 30_000,
  };
  const app = createApp({ settings, log: createLog('silent') });
  const service = new HttpService({ app, host: '127.0.0.1', port: 0 });
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
