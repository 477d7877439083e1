import { test } from 'node:test';
import { waitUntil } from '../../kit/wait-until.ts';
import { Worker } from './worker.ts';

test('of very many tenants those that are idle go soon', async (t) => {
  const worker = await Worker.start(t);
  const tenants = Array.from({ length: 1100 }, (_, i) => `tenant-${i}`);
  for (const tenant of tenants) worker.endpoint(tenant, 'ep_1');
  await Promise.all(tenants.map((tenant) => worker.owe(tenant, 'ep_1')));
  await worker.receiver.waitFor(tenants.length, undefined, 30_000);
  // One tenant alone would stay for a minute.
  const active = () => worker.metric('posthorn_delivery_activations');
  await waitUntil(async () => (await active()) < 1000, { deadlineMs: 30_000, intervalMs: 200 });
});
