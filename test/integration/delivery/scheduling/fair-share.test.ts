import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { Worker } from '../worker.ts';

test('a busy worker shares its slots between tenants by weight, in any order of arrival', async (t) => {
  const worker = await Worker.start(t, { settings: { inFlightMax: 1 } });
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  worker.endpoint('first', 'ep_1', { timeoutMs: 60_000 });
  worker.receiver.on('/first/ep_1', { status: 200, until: gate.promise });
  worker.endpoint('light', 'ep_1');
  worker.endpoint('heavy', 'ep_1');
  worker.tenant('heavy', { weight: 3 });
  // The only slot is taken until all deliveries of both tenants wait.
  await worker.publishDelivery('first', 'ep_1');
  await worker.receiver.waitFor(1, '/first/ep_1');
  for (const tenant of ['light', 'heavy']) {
    await Promise.all(Array.from({ length: 60 }, () => worker.publishDelivery(tenant, 'ep_1')));
  }
  const waiting = () => worker.metric('posthorn_delivery_mailbox_messages');
  await waitUntil(async () => (await waiting()) === 120, { what: 'all of it waits' });
  gate.resolve();
  await worker.receiver.waitFor(60, '/light/ep_1', 60_000);
  await worker.receiver.waitFor(60, '/heavy/ep_1', 60_000);
  const served = worker.receiver.requests.slice(1, 61).map(({ path }) => path);
  const heavy = served.filter((path) => path === '/heavy/ep_1').length;
  // While both had deliveries to send: three of four turns, within one of the turn in flight.
  assert.ok(heavy >= 44 && heavy <= 46, `${heavy} of 60`);
  await worker.waitUntilEmpty();
});
