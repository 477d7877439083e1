import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '#config/load.ts';
import { createApp } from '#infra/http/server/app.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createLog } from '#infra/telemetry/log.ts';

/** The address of a caller that connects from 127.0.0.1 with this `x-forwarded-for`. */
async function addressOf(proxies: string, forwarded: string): Promise<string> {
  const { http } = loadSettings({ POSTHORN_HTTP_TRUSTED_PROXIES: proxies });
  const app = createApp({ clock: systemClock, settings: http, log: createLog('silent') });
  app.get('/address', (request, reply) => reply.send(request.ip));
  const headers = { 'x-forwarded-for': forwarded };
  const answer = await app.inject({ method: 'GET', url: '/address', headers });
  await app.close();
  return answer.body;
}

test('x-forwarded-for is ignored unless the connection comes from a trusted proxy', async () => {
  assert.equal(await addressOf('', '203.0.113.9'), '127.0.0.1');
  assert.equal(await addressOf('10.0.0.0/8', '203.0.113.9'), '127.0.0.1');
  assert.equal(await addressOf('127.0.0.0/8', '203.0.113.9'), '203.0.113.9');
});

test('addresses that the caller added to x-forwarded-for itself are ignored', async () => {
  const proxies = '127.0.0.0/8,10.0.0.0/8,fd00::/8';
  assert.equal(await addressOf(proxies, '198.51.100.1, 203.0.113.9, 10.1.2.3'), '203.0.113.9');
  assert.equal(await addressOf(proxies, '203.0.113.9, fd00::1'), '203.0.113.9');
  assert.equal(await addressOf('127.0.0.0/8', '203.0.113.9, 10.1.2.3'), '10.1.2.3');
});
