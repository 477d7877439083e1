import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Binary } from 'mongodb';
import { deliveryId } from '#domain/ids.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { chunkKey, replayStoreOf } from '#infra/mongo/replays/replay-store.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type Answer, type ControlPlane, startControlPlane } from '../control-plane.ts';
import { SEEDED_MS, type SeededTenant, seedTenant } from './seeded-history.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

const create = (tenant: SeededTenant, body: object) =>
  plane.call('POST', `${tenant.path}/plans`, body);

/** Creates a plan, and returns it once it is ready. */
async function planned(tenant: SeededTenant, body: object): Promise<Answer['body']> {
  const created = await create(tenant, body);
  assert.equal(created.status, 202, created.text);
  return waitUntil(async () => {
    const { body: plan } = await plane.call('GET', `${tenant.path}/plans/${created.body.id}`);
    return plan.status === 'ready' ? plan : undefined;
  });
}

async function itemsOf(plan: { id: string }): Promise<string[][]> {
  const chunk = await replayStoreOf(plane.db).chunks.findOne({ _id: chunkKey(plan.id, 0) });
  return chunk?.items ?? [];
}

const reasons = (plan: { left_out: { reason: string; count: number }[] }) =>
  Object.fromEntries(plan.left_out.map(({ reason, count }) => [reason, count]));

test('a plan lists the failed deliveries of an endpoint, and counts the others by reason', async () => {
  const tenant = await seedTenant(plane, 'plan-failed');
  const other = await tenant.addEndpoint('https://example.org/');
  for (const id of ['e1', 'e2', 'e3']) await tenant.addEvent(id);
  const failed = [
    await tenant.addDelivery('e1', 'failed'),
    await tenant.addDelivery('e3', 'failed'),
  ];
  await tenant.addDelivery('e2', 'delivered');
  await tenant.addDelivery('e3', 'failed', { endpoint: other });
  await tenant.addDelivery('e4', 'failed');
  const plan = await planned(tenant, {
    action: 'replay',
    kind: 'failed',
    filter: { endpoint_id: tenant.endpoint },
    per_second: 1,
  });
  assert.equal(plan.count, 2);
  assert.equal(plan.duration_seconds, 2);
  assert.equal(plan.oldest_at, new Date(SEEDED_MS + 1000).toISOString());
  assert.equal(plan.newest_at, new Date(SEEDED_MS + 3000).toISOString());
  assert.deepEqual(reasons(plan), { event_expired: 1 });
  assert.equal(plan.more, false);
  assert.equal(plan.replay_id, null);
  assert.deepEqual(
    (await itemsOf(plan)).map(([, , id]) => id),
    failed,
  );
  const both = await planned(tenant, { action: 'replay', kind: 'failed', all: true });
  assert.equal(both.count, 3);
});

test('a range takes the status, the type and the half-open time of the lists', async () => {
  const tenant = await seedTenant(plane, 'plan-range');
  for (const n of [0, 1, 2, 3]) await tenant.addEvent(`e${n}`);
  for (const n of [0, 1, 2]) await tenant.addDelivery(`e${n}`, 'delivered');
  await tenant.addDelivery('e3', 'pending');
  const at = (n: number) => new Date(SEEDED_MS + n * 1000).toISOString();
  const filter = { accepted_at: { gte: at(1), lt: at(3) }, event_type: 'order.created' };
  const plan = await planned(tenant, { action: 'replay', kind: 'range', filter });
  assert.equal(plan.count, 2);
  assert.deepEqual(plan.filter, { ...filter, event_type: ['order.created'] });
  const open = await planned(tenant, { action: 'replay', kind: 'range', all: true });
  assert.equal(open.count, 3);
  assert.deepEqual(reasons(open), { pending: 1 });
  const status = await planned(tenant, {
    action: 'replay',
    kind: 'range',
    filter: { status: ['failed', 'cancelled'] },
  });
  assert.equal(status.count, 0);
  assert.equal(status.oldest_at, null);
  const cancel = await planned(tenant, { action: 'cancel', kind: 'range', all: true });
  assert.equal(cancel.count, 1);
  assert.deepEqual(reasons(cancel), { delivered: 3 });
});

test('missed events of an endpoint are those that failed or were never made for it', async () => {
  const tenant = await seedTenant(plane, 'plan-missed');
  const late = await tenant.addEndpoint('https://example.org/', {
    event_types: ['order.*'],
    filter: { 'data.n': { $gte: 2 } },
  });
  for (const n of [1, 2, 3, 4, 5, 6]) await tenant.addEvent(`e${n}`, { data: `{"n":${n}}` });
  await tenant.addEvent('e7', { type: 'invoice.paid', data: '{"n":7}' });
  const failed = await tenant.addDelivery('e3', 'failed', { endpoint: late });
  await tenant.addDelivery('e4', 'delivered', { endpoint: late });
  await tenant.addDelivery('e5', 'held', { endpoint: late });
  await tenant.addDelivery('e6', 'delivered');
  const plan = await planned(tenant, {
    action: 'replay',
    kind: 'missed',
    filter: { endpoint_id: late },
  });
  assert.deepEqual(await itemsOf(plan), [
    ['e2', late, ''],
    ['e3', late, failed],
    ['e6', late, ''],
  ]);
  assert.deepEqual(reasons(plan), { not_matched: 2, delivered: 1, held: 1 });
  assert.equal(plan.examined_count, 7);
});

test('unmatched events are listed for each endpoint that they match now', async () => {
  const tenant = await seedTenant(plane, 'plan-unmatched', { filter: { 'data.n': { $gt: 0 } } });
  await tenant.addEvent('e1', { routed: 0 });
  await tenant.addEvent('e2', { routed: 0, data: '{"n":0}' });
  await tenant.addEvent('e3');
  const plan = await planned(tenant, { action: 'replay', kind: 'unmatched', all: true });
  assert.deepEqual(await itemsOf(plan), [['e1', tenant.endpoint, '']]);
  assert.deepEqual(reasons(plan), { not_matched: 1 });
});

test('dead letters are listed by cause, without those that were replayed or lost their event', async () => {
  const tenant = await seedTenant(plane, 'plan-dead');
  const { deadLetters } = historyOf(plane.db);
  const at = new Date(SEEDED_MS);
  const letter = (event: string, fields: object = {}) =>
    deadLetters.insertOne({
      _id: deliveryId(tenant.name, event, tenant.endpoint),
      tenant: tenant.name,
      event,
      endpoint: tenant.endpoint,
      type: 'order.created',
      at,
      accepted_at: at,
      reason: 'exhausted',
      cause: 'http_503',
      attempt_count: 3,
      last_attempt: null,
      seq: 1,
      frame: new Binary(Buffer.from('frame')),
      replayed_at: null,
      replay: null,
      discarded_at: null,
      ...fields,
    });
  await letter('e1');
  await letter('e2', { cause: 'timeout' });
  await letter('e3', { frame: null });
  await letter('e4', { replayed_at: at, replay: 'dlv_1' });
  await letter('e5', { discarded_at: at });
  const replay = { action: 'replay', kind: 'dead_letters', filter: { cause: 'http_503' } };
  const plan = await planned(tenant, replay);
  assert.equal(plan.count, 1);
  assert.deepEqual(reasons(plan), { event_expired: 1, already_replayed: 1 });
  const discard = { action: 'discard', kind: 'dead_letters', all: true };
  assert.equal((await planned(tenant, discard)).count, 4);
});

test('rejects a plan with a kind, a filter or a selection that does not fit', async () => {
  const tenant = await seedTenant(plane, 'plan-bad');
  const time = { gte: '2026-02-31T12:00:00Z' };
  for (const [body, pointer] of [
    [{ action: 'replay', kind: 'held', all: true }, '/kind'],
    [{ action: 'discard', kind: 'failed', all: true }, '/kind'],
    [{ action: 'replay', kind: 'failed' }, '/all'],
    [{ action: 'replay', kind: 'failed', filter: {} }, '/all'],
    [{ action: 'replay', kind: 'failed', filter: { reason: 'gone' }, all: true }, '/all'],
    [{ action: 'replay', kind: 'failed', filter: { status: 'failed' } }, '/filter/status'],
    [{ action: 'replay', kind: 'missed', all: true }, '/filter/endpoint_id'],
    [{ action: 'replay', kind: 'event', filter: {} }, '/filter/event_id'],
    [{ action: 'replay', kind: 'failed', all: true, per_second: 0 }, '/per_second'],
    [{ action: 'replay', kind: 'failed', all: false }, '/all'],
    [{ action: 'stop', kind: 'failed', all: true }, '/action'],
    [{ action: 'replay', kind: 'range', filter: { accepted_at: time } }, '/filter/accepted_at'],
  ] as const) {
    const answer = await create(tenant, body);
    assert.equal(answer.status, 400, JSON.stringify(body) + answer.text);
    const pointers = answer.body.errors.map((each: { pointer: string }) => each.pointer);
    assert.ok(
      pointers.some((each: string) => each.startsWith(pointer)),
      `${JSON.stringify(body)}: ${pointers}`,
    );
  }
});

test('a plan is gone after a day, is not shown to another tenant, and can be deleted', async () => {
  const tenant = await seedTenant(plane, 'plan-old');
  const other = await seedTenant(plane, 'plan-other');
  const plan = await planned(tenant, { action: 'replay', kind: 'failed', all: true });
  const foreign = await plane.call('GET', `${other.path}/plans/${plan.id}`);
  assert.equal(foreign.status, 404);
  const started = await plane.call('POST', `${other.path}/replays`, { plan_id: plan.id });
  assert.equal(started.status, 404);
  const listed = await plane.call('GET', `${tenant.path}/plans`);
  assert.deepEqual(
    listed.body.data.map(({ id }: { id: string }) => id),
    [plan.id],
  );
  await replayStoreOf(plane.db).plans.updateOne(
    { _id: plan.id },
    { $set: { expires_at: new Date() } },
  );
  for (const [method, path, body] of [
    ['GET', `/plans/${plan.id}`, undefined],
    ['POST', '/replays', { plan_id: plan.id }],
    ['DELETE', `/plans/${plan.id}`, undefined],
  ] as const) {
    const answer = await plane.call(method, `${tenant.path}${path}`, body);
    assert.equal(answer.status, 410, answer.text);
    assert.equal(answer.body.code, 'POSTHORN_PLAN_EXPIRED');
  }
  const next = await planned(tenant, { action: 'replay', kind: 'failed', all: true });
  const deleted = await plane.call('DELETE', `${tenant.path}/plans/${next.id}`);
  assert.equal(deleted.status, 204);
  assert.equal((await plane.call('GET', `${tenant.path}/plans/${next.id}`)).status, 404);
});
