import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from '../worker.ts';

async function deliver(worker: Worker, endpoint: string) {
  const { delivery } = await worker.publishDelivery('acme', endpoint);
  return worker.recordsUntil(delivery.id, 'delivered');
}

test('basic, bearer and sealed headers arrive as configured', async (t) => {
  const worker = await Worker.start(t);
  const basic = { type: 'basic', username: 'jürgen', password: 'a:b ü' } as const;
  worker.endpoint('acme', 'basic', worker.sealed('basic', { credentials: basic }));
  const bearer = { type: 'bearer', token: 'abc.def-123' } as const;
  worker.endpoint('acme', 'bearer', {
    ...worker.sealed('bearer', { credentials: bearer, headers: { 'x-team': 'a' } }),
    // The form in use before header fields were sealed.
    headers: { 'x-old': 'b' },
  });
  await deliver(worker, 'basic');
  await deliver(worker, 'bearer');
  const expected = `Basic ${Buffer.from('jürgen:a:b ü').toString('base64')}`;
  assert.equal(worker.receiver.at('/acme/basic')[0]?.headers['authorization'], expected);
  const headers = worker.receiver.at('/acme/bearer')[0]?.headers ?? {};
  assert.equal(headers['authorization'], 'Bearer abc.def-123');
  assert.equal(headers['x-team'], 'a');
  assert.equal(headers['x-old'], 'b');
});

test('changed or removed credentials apply to the next attempt', async (t) => {
  const worker = await Worker.start(t);
  const as = (token: string) => worker.sealed('ep_1', { credentials: { type: 'bearer', token } });
  worker.endpoint('acme', 'ep_1', as('one'));
  await deliver(worker, 'ep_1');
  worker.endpoint('acme', 'ep_1', as('two'));
  await deliver(worker, 'ep_1');
  const { sealedCredentials: _, ...without } = worker.tenants.get('acme')?.endpoints[0] ?? {};
  const tenant = worker.tenants.get('acme');
  assert.ok(tenant);
  worker.tenant('acme', { endpoints: [without as (typeof tenant.endpoints)[number]] });
  await deliver(worker, 'ep_1');
  assert.deepEqual(
    worker.receiver.at('/acme/ep_1').map(({ headers }) => headers['authorization']),
    ['Bearer one', 'Bearer two', undefined],
  );
});

test('a receiver that echoes its request writes no secret into the history', async (t) => {
  const worker = await Worker.start(t);
  const credentials = { type: 'basic', username: 'me', password: 'swordfish-1' } as const;
  const headers = { 'x-api-key': 'key-0123456789' };
  worker.endpoint('acme', 'ep_1', worker.sealed('ep_1', { credentials, headers }));
  worker.receiver.otherwise(({ headers: sent }) => ({
    status: 200,
    headers: { 'x-echo': sent['authorization'] ?? '' },
    body: `${'x'.repeat(4000)} swordfish-1 ${JSON.stringify(sent)} ${'y'.repeat(25)}`,
  }));
  const records = await deliver(worker, 'ep_1');
  const pair = Buffer.from('me:swordfish-1').toString('base64');
  const text = JSON.stringify(records);
  for (const secret of [pair, 'swordfish-1', 'key-0123456789']) assert.ok(!text.includes(secret));
  const { attempt } = records.at(-1) ?? {};
  assert.equal(attempt?.responseHeaders?.['x-echo'], 'Basic ********');
  assert.match(attempt.responseBody ?? '', /x \*{8} \{/);
});

test('a configuration change does not abort an attempt in flight', async (t) => {
  const worker = await Worker.start(t);
  const release = Promise.withResolvers<void>();
  worker.endpoint('acme', 'ep_1');
  worker.receiver.on('/acme/ep_1', { status: 200, until: release.promise });
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.receiver.waitFor(1, '/acme/ep_1');
  // Another origin: the connections to the old one are no longer needed.
  const url = worker.receiver.url('/moved').replace('127.0.0.1', 'localhost');
  worker.endpoint('acme', 'ep_1', { url });
  await deliver(worker, 'ep_1');
  release.resolve();
  const records = await worker.recordsUntil(delivery.id, 'delivered');
  assert.equal(records.at(-1)?.attempt?.no, 1);
  assert.equal(worker.receiver.at('/moved').length, 1);
});
