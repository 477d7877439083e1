import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { Worker } from '../worker.ts';

test('idle tenants are passivated sooner when there are very many', async (t) => {
  const worker = await Worker.start(t);
  const tenants = Array.from({ length: 1100 }, (_, i) => `tenant-${i}`);
  for (const tenant of tenants) worker.endpoint(tenant, 'ep_1');
  await Promise.all(tenants.map((tenant) => worker.publishDelivery(tenant, 'ep_1')));
  await worker.receiver.waitFor(tenants.length, undefined, 30_000);
  // A single tenant would stay for a minute.
  const active = () => worker.metric('posthorn_delivery_activations');
  await waitUntil(async () => (await active()) < 1000, { deadlineMs: 30_000, intervalMs: 200 });
});
