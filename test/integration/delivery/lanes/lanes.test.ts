import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import type { LaneRules } from '#src/delivery/lanes/lane-rules.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { consumers, streams, subjects, tenantOfLane } from '#wire/subjects.ts';
import { Worker } from '../worker.ts';

/** All periods are fractions of a second. */
const SOON: Partial<LaneRules> = {
  evaluateEveryMs: 50,
  reconcileEveryMs: 100,
  congestedPerSecond: 5,
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

/** Publishes deliveries like the router at this moment: through the tenant's lane if it has one. */
function publishDeliveries(
  worker: Worker,
  tenant: string,
  endpoint: string,
  count: number,
): Promise<unknown> {
  const one = (): Promise<unknown> =>
    worker.publishDelivery(tenant, endpoint, {
      deliveryClass: worker.lanes.has(tenant) ? 't' : 's',
    });
  return Promise.all(Array.from({ length: count }, one));
}

test('a flood to a hanging endpoint gets a lane, waits in it and arrives, and then the lane is removed', async (t) => {
  const worker = await Worker.start(t, {
    laneRules: SOON,
    settings: { endpointInFlightMax: 4, timeoutMs: 60_000 },
  });
  worker.endpoint('noisy', 'ep_1');
  worker.endpoint('quiet', 'ep_1');
  let open = (): void => {};
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  worker.receiver.on('/noisy/ep_1', { until, status: 200 });
  await publishDeliveries(worker, 'noisy', 'ep_1', 250);
  await waitUntil(() => worker.lanes.has('noisy'), PATIENT);
  const promotions = 'posthorn_delivery_lane_promotions_total';
  assert.equal(await worker.metric(promotions, { reason: 'pressure' }), 1);
  await publishDeliveries(worker, 'noisy', 'ep_1', 1000);
  // The tenant's allowance is in flight; the rest stays in the stream and is not parked.
  const lane = () => worker.core.jsm.consumers.info(streams.deliveries(0), consumers.lane('noisy'));
  await waitUntil(async () => (await lane()).num_ack_pending === limits.laneUnackedMax, PATIENT);
  const before = await lane();
  assert.ok(before.num_pending >= 1000 - limits.laneUnackedMax);
  const { delivery } = await worker.publishDelivery('quiet', 'ep_1');
  await worker.recordsUntil(delivery.id, 'delivered');
  assert.equal((await lane()).delivered.consumer_seq, before.delivered.consumer_seq);
  open();
  await worker.receiver.waitFor(1250, '/noisy/ep_1', 120_000);
  await waitUntil(async () => (await worker.storedMessages()).length === 0, {
    ...PATIENT,
    deadlineMs: 120_000,
  });
  await waitUntil(() => !worker.lanes.has('noisy'), PATIENT);
  await waitUntil(async () => (await lanesOf(worker)).length === 0, PATIENT);
  // At least once: deliveries parked earlier return at their own time and may need the lane again.
  const quiet = await worker.metric('posthorn_delivery_lane_demotions_total', { reason: 'quiet' });
  assert.ok(quiet >= 1);
  // A router with a stale watch: its delivery is found and delivered.
  const late = await worker.publishDelivery('noisy', 'ep_1', { deliveryClass: 't' });
  await worker.recordsUntil(late.delivery.id, 'delivered');
  const healed = await worker.metric('posthorn_delivery_lane_healed_total', {
    cause: 'stored_late',
  });
  assert.ok(healed >= 1);
  await waitUntil(async () => (await lanesOf(worker)).length === 0, PATIENT);
});

test('in a lane, a hanging endpoint is parked beyond its share, and the tenant’s other endpoints continue', async (t) => {
  const worker = await Worker.start(t, {
    laneRules: { ...SOON, quietMs: 60_000 },
    settings: { endpointInFlightMax: 4, timeoutMs: 60_000 },
  });
  worker.endpoint('acme', 'ep_hangs');
  worker.endpoint('acme', 'ep_fine');
  worker.receiver.on('/acme/ep_hangs', { hang: 'request' });
  await publishDeliveries(worker, 'acme', 'ep_hangs', 250);
  await waitUntil(() => worker.lanes.has('acme'), PATIENT);
  // More deliveries than the capacity of the lane are ahead of it.
  await publishDeliveries(worker, 'acme', 'ep_hangs', 2 * limits.laneUnackedMax);
  const fine = await worker.publishDelivery('acme', 'ep_fine', { deliveryClass: 't' });
  await worker.recordsUntil(fine.delivery.id, 'delivered');
  assert.equal(worker.receiver.at('/acme/ep_hangs').length, 4);
  // The parked deliveries return to the lane.
  const waiting = await worker.core.jsm.streams.getMessage(streams.deliveries(0), {
    last_by_subj: subjects.waiting('acme', 'ep_hangs', '*'),
  });
  const target = waiting?.header.get('Nats-Schedule-Target');
  assert.equal(target, subjects.delivery('acme', 'ep_hangs', 't'));
});

test('lane deliveries wait for an open circuit: one probes it, and none is parked', async (t) => {
  const worker = await Worker.start(t, {
    laneRules: { ...SOON, quietMs: 60_000 },
    settings: { endpointInFlightMax: 5 },
    retryPolicy: { delaysSeconds: Array(20).fill(0.3), finalStatuses: [], retryAfterMaxMs: 0 },
  });
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise({ status: 500 });
  await worker.lanes.announce('acme');
  await waitUntil(async () => (await lanesOf(worker)).length === 1, PATIENT);
  await publishDeliveries(worker, 'acme', 'ep_1', 300);
  await waitUntil(
    async () => (await worker.metric('posthorn_delivery_circuits_open')) === 1,
    PATIENT,
  );
  const parked = () => worker.metric('posthorn_delivery_parked_total', { reason: 'circuit' });
  await waitUntil(async () => (await parked()) > 0, PATIENT);
  worker.receiver.otherwise({ status: 200 });
  await waitUntil(async () => (await worker.storedMessages()).length === 0, {
    ...PATIENT,
    deadlineMs: 60_000,
  });
  // Of 300: those in flight when it opened, and one a second.
  assert.ok((await parked()) < 60, `${await parked()} parked`);
  assert.equal((await worker.deadLetters()).length, 0);
});

test('deliveries that an open circuit rejects are not parked again and again', async (t) => {
  const worker = await Worker.start(t, {
    laneRules: { ...SOON, quietMs: 60_000 },
    settings: { endpointInFlightMax: 5 },
    retryPolicy: { delaysSeconds: Array(20).fill(600), finalStatuses: [], retryAfterMaxMs: 0 },
  });
  worker.endpoint('acme', 'ep_fails');
  worker.endpoint('acme', 'ep_fine');
  worker.receiver.on('/acme/ep_fails', { status: 500 });
  await worker.lanes.announce('acme');
  await waitUntil(async () => (await lanesOf(worker)).length === 1, PATIENT);
  const excess = 600;
  await publishDeliveries(worker, 'acme', 'ep_fails', limits.laneUnackedMax / 2 + excess);
  const parked = () => worker.metric('posthorn_delivery_parked_total', { reason: 'mailbox' });
  await waitUntil(async () => (await parked()) >= excess - 50, PATIENT);
  // Each probe of the circuit takes at least a second or two.
  const attempts = (): number => worker.receiver.at('/acme/ep_fails').length;
  const evaluated = attempts() + 3;
  await waitUntil(() => attempts() >= evaluated, { ...PATIENT, deadlineMs: 60_000 });
  assert.ok((await parked()) < 3 * excess, `${await parked()} parked`);
});
