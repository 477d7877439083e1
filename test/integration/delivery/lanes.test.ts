import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import type { LaneRules } from '#src/delivery/lanes/lane-rules.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { consumers, streams, tenantOfLane } from '#wire/subjects.ts';
import { Worker } from './worker.ts';

/** Everything in fractions of a second. */
const SOON: Partial<LaneRules> = {
  lookEveryMs: 50,
  compareEveryMs: 100,
  pressedMin: 5,
  quietMs: 300,
  graceMs: 300,
};
const PATIENT = { deadlineMs: 30_000, intervalMs: 30 };

async function lanesOf(worker: Worker): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of worker.core.jsm.consumers.list(streams.deliveries(0))) {
    const tenant = tenantOfLane(name);
    if (tenant !== undefined) found.push(tenant);
  }
  return found;
}

/** Publishes deliveries as the router does at this moment: by the tenant's lane where it has one. */
function owe(worker: Worker, tenant: string, endpoint: string, count: number): Promise<unknown> {
  const one = (): Promise<unknown> =>
    worker.owe(tenant, endpoint, { lane: worker.lanes.has(tenant) ? 't' : 's' });
  return Promise.all(Array.from({ length: count }, one));
}

test('a flood to an endpoint that hangs gets a lane, waits in it, arrives, and the lane goes', async (t) => {
  const worker = await Worker.start(t, {
    laneRules: SOON,
    env: { POSTHORN_ENDPOINT_IN_FLIGHT_MAX: '4', POSTHORN_DELIVERY_TIMEOUT_MS: '60000' },
  });
  worker.endpoint('noisy', 'ep_1');
  worker.endpoint('quiet', 'ep_1');
  let open = (): void => {};
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  worker.receiver.on('/noisy/ep_1', { until, status: 200 });
  await owe(worker, 'noisy', 'ep_1', 250);
  await waitUntil(() => worker.lanes.has('noisy'), PATIENT);
  const promotions = 'posthorn_delivery_lane_promotions_total';
  assert.equal(await worker.metric(promotions, { reason: 'pressure' }), 1);
  await owe(worker, 'noisy', 'ep_1', 1000);
  // What the tenant may hold is in hand; the rest stays in the stream, and is not parked.
  const lane = () => worker.core.jsm.consumers.info(streams.deliveries(0), consumers.lane('noisy'));
  await waitUntil(async () => (await lane()).num_ack_pending === limits.laneInHandMax, PATIENT);
  const before = await lane();
  assert.ok(before.num_pending >= 1000 - limits.laneInHandMax);
  const { delivery } = await worker.owe('quiet', 'ep_1');
  await worker.recordsUntil(delivery.id, 'delivered');
  assert.equal((await lane()).delivered.consumer_seq, before.delivered.consumer_seq);
  open();
  await worker.receiver.waitFor(1250, '/noisy/ep_1', 120_000);
  await waitUntil(async () => (await worker.owed()).length === 0, {
    ...PATIENT,
    deadlineMs: 120_000,
  });
  await waitUntil(() => !worker.lanes.has('noisy'), PATIENT);
  await waitUntil(async () => (await lanesOf(worker)).length === 0, PATIENT);
  assert.equal(
    await worker.metric('posthorn_delivery_lane_demotions_total', { reason: 'quiet' }),
    1,
  );
  // A router that hears late: found, and delivered.
  const late = await worker.owe('noisy', 'ep_1', { lane: 't' });
  await worker.recordsUntil(late.delivery.id, 'delivered');
  assert.equal(
    await worker.metric('posthorn_delivery_lane_healed_total', { cause: 'stored_late' }),
    1,
  );
  await waitUntil(async () => (await lanesOf(worker)).length === 0, PATIENT);
});
