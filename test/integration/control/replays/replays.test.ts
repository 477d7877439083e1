import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Binary } from 'mongodb';
import { deliveryId } from '#domain/ids.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { replayStoreOf } from '#infra/mongo/replays/replay-store.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { encodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { encodeEventFrame } from '#wire/frames/event-frame.ts';
import { subjects } from '#wire/subjects.ts';
import { type Answer, type ControlPlane, startControlPlane } from '../control-plane.ts';
import { type SeededTenant, seedTenant } from './seeded-history.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

async function planned(tenant: SeededTenant, body: object): Promise<string> {
  const created = await plane.call('POST', `${tenant.path}/plans`, body);
  assert.equal(created.status, 202, created.text);
  const { id } = created.body;
  await waitUntil(async () => {
    const { body: plan } = await plane.call('GET', `${tenant.path}/plans/${id}`);
    return plan.status === 'ready';
  });
  return id as string;
}

const start = (tenant: SeededTenant, plan_id: string, fields: object = {}) =>
  plane.call('POST', `${tenant.path}/replays`, { plan_id, ...fields });

const act = (tenant: SeededTenant, id: string, verb: string) =>
  plane.call('POST', `${tenant.path}/replays/${id}/${verb}`);

function ended(tenant: SeededTenant, id: string): Promise<Answer['body']> {
  return waitUntil(async () => {
    const { body } = await plane.call('GET', `${tenant.path}/replays/${id}`);
    return body.ended_at === null ? undefined : body;
  });
}

const results = (replay: { results: { reason: string; count: number }[] }) =>
  Object.fromEntries(replay.results.map(({ reason, count }) => [reason, count]));

test('a replay makes one linked delivery for each listed item, and reports those that settled', async () => {
  const tenant = await seedTenant(plane, 'run-failed');
  for (const n of [1, 2, 3]) await tenant.addEvent(`e${n}`, { data: `{"n":${n}.0}` });
  const failed = [];
  for (const n of [1, 2, 3]) failed.push(await tenant.addDelivery(`e${n}`, 'failed'));
  const plan = await planned(tenant, { action: 'replay', kind: 'failed', all: true });
  const { endpoint } = tenant;
  // After the plan: another replay delivered the second, and the third event expired.
  await tenant.addDelivery('e2', 'delivered', { _id: 'dlv_other', endpoint });
  await historyOf(plane.db).events.deleteOne({ tenant: tenant.name, id: 'e3' });
  // Not listed, because it came later.
  await tenant.addEvent('e4');
  await tenant.addDelivery('e4', 'failed');
  const started = await start(tenant, plan);
  assert.equal(started.status, 202, started.text);
  const replay = await ended(tenant, started.body.id);
  assert.equal(replay.status, 'completed');
  assert.deepEqual(replay.progress, { done_count: 3, total_count: 3 });
  assert.deepEqual(results(replay), { replayed: 1, delivered: 1, event_expired: 1 });
  const [message, ...more] = await tenant.messages();
  assert.equal(more.length, 0);
  assert.equal(message?.deliveryClass, 'r');
  assert.equal(message?.head.replayOf, failed[0]);
  assert.equal(message?.head.replay, replay.id);
  const id = deliveryId(tenant.name, 'e1', endpoint, `${failed[0]}\n${replay.id}`);
  assert.equal(message?.head.id, id);
  assert.ok(message?.eventBytes.toString().endsWith('{"n":1.0}'));
  const { body } = await plane.call('GET', `${tenant.path}/plans/${plan}`);
  assert.equal(body.replay_id, replay.id);
});

test('a plan that is started twice, also at the same time, has one replay', async () => {
  const tenant = await seedTenant(plane, 'run-twice');
  await tenant.addEvent('e1');
  await tenant.addDelivery('e1', 'delivered');
  const plan = await planned(tenant, {
    action: 'replay',
    kind: 'event',
    filter: { event_id: 'e1' },
  });
  const answers = await Promise.all([1, 2, 3].map(() => start(tenant, plan)));
  for (const { status, body } of answers) {
    assert.equal(status, 202);
    assert.equal(body.id, answers[0]?.body.id);
  }
  const id = answers[0]?.body.id as string;
  assert.deepEqual(results(await ended(tenant, id)), { replayed: 1 });
  assert.equal((await start(tenant, plan)).body.id, id);
  assert.equal((await tenant.messages()).length, 1);
});

test('an event that was missed gets the delivery that the router would have made', async () => {
  const tenant = await seedTenant(plane, 'run-missed');
  await tenant.addEvent('e1');
  const filter = { endpoint_id: tenant.endpoint };
  const missed = { action: 'replay', kind: 'missed', filter };
  const plans = [await planned(tenant, missed), await planned(tenant, missed)];
  const first = await ended(tenant, (await start(tenant, plans[0] ?? '')).body.id);
  assert.deepEqual(results(first), { replayed: 1 });
  const id = deliveryId(tenant.name, 'e1', tenant.endpoint);
  await tenant.addDelivery('e1', 'pending', { replay: first.id });
  const second = await ended(tenant, (await start(tenant, plans[1] ?? '')).body.id);
  assert.deepEqual(results(second), { pending: 1 });
  const messages = await tenant.messages();
  assert.deepEqual(
    messages.map(({ head }) => [head.id, head.replay, head.replayOf]),
    [[id, first.id, undefined]],
  );
});

test('a replay is paused, resumed at another pace and cancelled', async () => {
  const tenant = await seedTenant(plane, 'run-paused');
  for (let n = 0; n < 20; n++) {
    await tenant.addEvent(`e${n}`);
    await tenant.addDelivery(`e${n}`, 'cancelled');
  }
  const plan = await planned(tenant, { action: 'replay', kind: 'range', all: true });
  const { id } = (await start(tenant, plan, { per_second: 1 })).body;
  const read = async () => (await plane.call('GET', `${tenant.path}/replays/${id}`)).body;
  await waitUntil(async () => (await read()).progress.done_count > 0);
  assert.equal((await act(tenant, id, 'pause')).body.status, 'paused');
  assert.equal((await act(tenant, id, 'pause')).status, 200);
  await waitUntil(async () => {
    const replay = await replayStoreOf(plane.db).replays.findOne({ _id: id });
    return replay?.lease_holder === undefined;
  });
  const { done_count: done } = (await read()).progress;
  assert.ok(done < 20);
  const path = `${tenant.path}/replays/${id}`;
  const paced = await plane.call('PATCH', path, { per_second: 1000 });
  assert.equal(paced.body.per_second, 1000, paced.text);
  assert.equal((await act(tenant, id, 'resume')).body.status, 'running');
  const replay = await ended(tenant, id);
  assert.deepEqual(results(replay), { replayed: 20 });
  assert.equal((await tenant.messages()).length, 20);
  for (const verb of ['pause', 'resume', 'cancel']) {
    const answer = await act(tenant, id, verb);
    assert.equal(answer.status, 409, answer.text);
    assert.equal(answer.body.code, 'POSTHORN_REPLAY_STATE');
    assert.match(answer.body.detail, /is completed/);
  }
  const again = await planned(tenant, { action: 'replay', kind: 'range', all: true });
  const slow = (await start(tenant, again, { per_second: 1 })).body.id;
  const cancelled = await act(tenant, slow, 'cancel');
  assert.equal(cancelled.body.status, 'cancelled', cancelled.text);
  assert.notEqual(cancelled.body.ended_at, null);
  assert.equal((await act(tenant, slow, 'cancel')).status, 200);
});

test('dead letters are discarded by a replay of their plan, each once', async () => {
  const tenant = await seedTenant(plane, 'run-discard');
  const { deadLetters } = historyOf(plane.db);
  const at = new Date();
  const letter = {
    tenant: tenant.name,
    endpoint: tenant.endpoint,
    type: 'order.created',
    at: new Date(at.getTime() - 1000),
    accepted_at: at,
    reason: 'exhausted',
    cause: 'timeout',
    attempt_count: 3,
    last_attempt: null,
    seq: 1,
    frame: null,
    replayed_at: null,
    replay: null,
    discarded_at: null,
  };
  for (const id of ['e1', 'e2', 'e3']) {
    await deadLetters.insertOne({ ...letter, _id: `dlv_${id}_discard`, event: id });
  }
  const plan = await planned(tenant, { action: 'discard', kind: 'dead_letters', all: true });
  await plane.call('DELETE', `${tenant.path}/dead-letters/dlv_e2_discard`);
  const replay = await ended(tenant, (await start(tenant, plan)).body.id);
  assert.deepEqual(results(replay), { discarded: 2, already_discarded: 1 });
  const { body } = await plane.call('GET', `${tenant.path}/dead-letters`);
  assert.equal(body.data.length, 0);
});

test('a dead letter is replayed when the history does not show its failure yet', async () => {
  const tenant = await seedTenant(plane, 'run-late-history');
  // The dead letter and the record of the attempt are projected independently.
  const id = await tenant.addDelivery('e1', 'pending');
  const at = new Date(Date.now() - 1000);
  const head = { id: 'e1', type: 'order.created', source: '/s', time: '2026-01-31T12:00:00Z' };
  const kept = { ...head, kind: 'json', acceptedMs: 1, correlationId: 'req_1' } as const;
  await historyOf(plane.db).deadLetters.insertOne({
    _id: id,
    tenant: tenant.name,
    event: 'e1',
    endpoint: tenant.endpoint,
    at,
    type: 'order.created',
    accepted_at: at,
    reason: 'exhausted',
    cause: 'http_500',
    attempt_count: 3,
    last_attempt: null,
    seq: 1,
    frame: new Binary(encodeEventFrame(kept, '{"kept":1}')),
    replayed_at: null,
    replay: null,
    discarded_at: null,
  });
  const plan = await planned(tenant, { action: 'replay', kind: 'dead_letters', all: true });
  const replay = await ended(tenant, (await start(tenant, plan)).body.id);
  assert.deepEqual(results(replay), { replayed: 1 });
  assert.equal((await tenant.messages()).length, 1);
});

test('held deliveries are released or cancelled by a plan, each by its own message', async () => {
  for (const action of ['release', 'cancel'] as const) {
    const tenant = await seedTenant(plane, `run-${action}`);
    const head = { endpoint: tenant.endpoint, attemptNo: 1, hop: 3, eventSeq: 1 };
    const ids: string[] = [];
    for (const event of ['e1', 'e2', 'e3']) {
      const at = new Date();
      const id = await tenant.addDelivery(event, 'held', { accepted_at: at });
      ids.push(id);
      if (event === 'e3') continue;
      plane.nc.publish(
        subjects.held(tenant.name, tenant.endpoint),
        encodeDeliveryFrame({ ...head, id }, Buffer.from(event)),
      );
    }
    await waitUntil(async () => (await tenant.messages()).length === 2);
    const held = { action, kind: 'held', filter: { endpoint_id: tenant.endpoint } };
    const plan = await planned(tenant, held);
    const replay = await ended(tenant, (await start(tenant, plan)).body.id);
    const done = action === 'release' ? 'released' : 'cancelled';
    assert.deepEqual(results(replay), { [done]: 2, not_waiting: 1 });
    const messages = await tenant.messages();
    assert.deepEqual(
      messages.map((message) => [message.deliveryClass, message.head.id, message.head.hop]),
      ids.slice(0, 2).map((id) => ['r', id, 4]),
    );
    for (const message of messages) assert.equal(message.head[done], true);
  }
});

test('rejects the replay of a plan that is not counted, and of an unknown one', async () => {
  const tenant = await seedTenant(plane, 'run-early');
  const plan = await planned(tenant, { action: 'replay', kind: 'failed', all: true });
  const held = { lease_until: new Date(Date.now() + 60_000), lease_holder: 'another' };
  await replayStoreOf(plane.db).plans.updateOne(
    { _id: plan },
    { $set: { status: 'counting', ...held } },
  );
  const early = await start(tenant, plan);
  assert.equal(early.status, 409);
  assert.equal(early.body.code, 'POSTHORN_PLAN_NOT_READY');
  assert.equal((await start(tenant, 'pln_none')).status, 404);
  assert.equal((await act(tenant, 'rpl_none', 'pause')).status, 404);
  const bad = await start(tenant, plan, { per_second: 0 });
  assert.equal(bad.status, 400);
});

test('an empty plan is completed at its start', async () => {
  const tenant = await seedTenant(plane, 'run-empty');
  const plan = await planned(tenant, { action: 'replay', kind: 'failed', all: true });
  const { body } = await start(tenant, plan);
  assert.equal(body.status, 'completed');
  assert.deepEqual(body.progress, { done_count: 0, total_count: 0 });
});

test('the plans and replays of a deleted tenant are removed, and its next life has none', async () => {
  const tenant = await seedTenant(plane, 'run-deleted');
  for (let n = 0; n < 5; n++) {
    await tenant.addEvent(`e${n}`);
    await tenant.addDelivery(`e${n}`, 'delivered');
  }
  const plan = await planned(tenant, { action: 'replay', kind: 'range', all: true });
  const { id } = (await start(tenant, plan, { per_second: 1 })).body;
  assert.equal((await plane.call('DELETE', tenant.path)).status, 204);
  const { plans, chunks, replays } = replayStoreOf(plane.db);
  const ofLife = { tenant: tenant.name };
  await waitUntil(
    async () =>
      (await replays.countDocuments(ofLife)) === 0 &&
      (await plans.countDocuments(ofLife)) === 0 &&
      (await chunks.countDocuments(ofLife)) === 0,
    { what: 'its documents are removed', deadlineMs: 30_000 },
  );
  const next = await seedTenant(plane, 'run-deleted');
  assert.equal((await plane.call('GET', `${next.path}/replays/${id}`)).status, 404);
  assert.deepEqual((await plane.call('GET', `${next.path}/replays`)).body.data, []);
});
