/** Bursts of changes in one tenant over two control processes: all changes succeed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, test } from 'node:test';
import { loadSettings } from '#config/load.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createApp } from '#infra/http/server/app.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { type ControlPlane, PLATFORM_KEY, startControlPlane } from '../control-plane.ts';

const CONNECTIONS = 32;

let plane: ControlPlane;
/** Of two control processes, in this one: each has queues and connections of its own. */
const ports: number[] = [];
before(async (t) => {
  plane = await startControlPlane(t as never);
  const other = createApp({
    clock: systemClock,
    settings: loadSettings({}).http,
    log: createLog('silent'),
  });
  (t as never as { after: (undo: () => unknown) => void }).after(() => other.close());
  plane.startAnother().registerRoutes(other);
  for (const app of [plane.app, other]) {
    await app.listen({ host: '127.0.0.1', port: 0 });
    ports.push((app.server.address() as AddressInfo).port);
  }
});

interface Change {
  method: string;
  path: string;
  body?: object;
}

/**
 * Sends all changes concurrently over 32 connections, alternating between the processes.
 *
 * @returns the number of answers by status
 */
async function sendAll(changes: Change[]): Promise<Record<string, number>> {
  const agents = ports.map(() => new Agent({ keepAlive: true, maxSockets: CONNECTIONS / 2 }));
  const statuses: Record<string, number> = {};
  await Promise.all(
    changes.map(async (change, i) => {
      const status = await send(change, i % ports.length, agents);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }),
  );
  for (const agent of agents) agent.destroy();
  return statuses;
}

async function send({ method, path, body }: Change, to: number, agents: Agent[]): Promise<string> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const sent = request({
    port: ports[to],
    host: '127.0.0.1',
    agent: agents[to],
    method,
    path,
    headers: {
      authorization: `Bearer ${PLATFORM_KEY}`,
      ...(text === '' ? {} : { 'content-type': 'application/json' }),
    },
  });
  sent.end(text);
  const [answer] = await once(sent, 'response');
  let answered = '';
  for await (const chunk of answer.setEncoding('utf8')) answered += chunk;
  return answer.statusCode < 300 ? String(answer.statusCode) : `${answer.statusCode} ${answered}`;
}

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

test('128 endpoints are all created when 32 connections to two processes create them concurrently', async () => {
  await plane.call('PUT', '/v1/tenants/burst', {});
  const path = '/v1/tenants/burst/endpoints';
  const changes = times(128, (i) => ({
    method: 'POST',
    path,
    body: { url: `https://example.com/${i}` },
  }));
  assert.deepEqual(await sendAll(changes), { 201: 128 });
  const page = await plane.call('GET', `${path}?limit=250`);
  assert.equal(page.body.data.length, 128);
});

test('keys, subscriptions, endpoints and settings of one tenant are changed concurrently without a conflict', async () => {
  const tenant = '/v1/tenants/mixed';
  await plane.call('PUT', tenant, {});
  const { id } = (await plane.call('POST', `${tenant}/endpoints`, { url: 'https://example.com/' }))
    .body;
  const changes = times(64, (i): Change => {
    const kinds: Change[] = [
      { method: 'POST', path: '/v1/keys', body: { scope: 'tenant', tenant_id: 'mixed' } },
      {
        method: 'POST',
        path: `${tenant}/subscriptions`,
        body: { endpoint_id: id, event_types: [`a.b${i}`] },
      },
      { method: 'PATCH', path: `${tenant}/endpoints/${id}`, body: { description: `d${i}` } },
      { method: 'PUT', path: tenant, body: { weight: 1 + (i % 5) } },
    ];
    return kinds[i % kinds.length] as Change;
  });
  assert.deepEqual(await sendAll(changes), { 200: 32, 201: 32 });
});

test('event types are registered, changed and removed concurrently without a conflict', async () => {
  for (let i = 0; i < 20; i++) await plane.call('PUT', `/v1/event-types/burst.old${i}`, {});
  const changes = times(60, (i): Change => {
    if (i % 3 === 0) return { method: 'PUT', path: `/v1/event-types/burst.new${i}`, body: {} };
    if (i % 3 === 1) {
      const body = { description: `d${i}` };
      return { method: 'PUT', path: '/v1/event-types/burst.same', body };
    }
    return { method: 'DELETE', path: `/v1/event-types/burst.old${(i - 2) / 3}` };
  });
  // The first subscription to the type creates it.
  assert.deepEqual(await sendAll(changes), { 200: 19, 201: 21, 204: 20 });
});

test('rejects a concurrent change only for a real conflict: another revision, the same URL', async () => {
  const tenant = '/v1/tenants/real';
  await plane.call('PUT', tenant, {});
  const body = { url: 'https://example.com/same' };
  const made = await sendAll(
    times(16, () => ({ method: 'POST', path: `${tenant}/endpoints`, body })),
  );
  assert.equal(made['201'], 1);
  const others = Object.keys(made).filter((status) => status !== '201');
  assert.ok(
    others.every((status) => status.includes('POSTHORN_ENDPOINT_URL_DUPLICATE')),
    others.join('\n'),
  );
});
