import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startMongod } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { IngressPlane } from '../ingress-plane.ts';

const EVENT = { type: 'a.b', id: 'order-1', data: { total: 1 } };

/** Writes the event as the projector does. */
async function project(plane: IngressPlane): Promise<void> {
  for (const { head, seq } of await plane.stored()) {
    const _id = `acme/${head.id}`;
    await plane.history.events.updateOne({ _id }, { $set: { seq } }, { upsert: true });
  }
}

/** Simulates the end of the 2-minute window: the stream forgets the ids. */
async function forgetMessageIds(plane: IngressPlane): Promise<void> {
  await plane.core.jsm.streams.purge('EV-0');
  const { config } = await plane.core.jsm.streams.info('EV-0');
  await plane.core.jsm.streams.delete('EV-0');
  await plane.core.jsm.streams.add(config);
}

test('the same id with the same content is stored once, and its repeat is answered as replayed', async (t) => {
  const plane = await IngressPlane.start(t);
  const first = await plane.post(EVENT);
  // Until the projector has written the event, the duplicate window of the stream drops repeats.
  const soon = await plane.post(EVENT);
  await project(plane);
  await forgetMessageIds(plane);
  const late = await plane.post(EVENT);
  for (const answer of [first, soon, late]) {
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.body, { id: 'order-1', status: 'accepted' });
  }
  assert.deepEqual(
    [first, soon, late].map(({ headers }) => headers['idempotency-replayed']),
    [undefined, 'true', 'true'],
  );
  assert.equal(
    (await plane.stored()).length,
    0,
    'the repeat was published after the duplicate window',
  );
  assert.equal(await plane.metric('posthorn_ingress_events_total', { result: 'replayed' }), 2);
});

test('rejects the same id with other content with 409, before and after it is in the history', async (t) => {
  const plane = await IngressPlane.start(t);
  await plane.post(EVENT);
  const others = [
    { ...EVENT, data: { total: 2 } },
    // Other bytes are other content, because receivers would get other bytes.
    '{"type":"a.b","id":"order-1","data":{"total":1.0}}',
    { ...EVENT, type: 'a.c' },
    { ...EVENT, subject: 'x' },
  ];
  for (const stage of ['before', 'after']) {
    for (const other of others) {
      const answer = await plane.post(other);
      assert.equal(answer.status, 409, `${stage} ${JSON.stringify(other)}`);
      assert.equal(answer.body.code, 'POSTHORN_EVENT_ID_REUSED');
      assert.deepEqual(
        answer.body.errors.map(({ pointer }: { pointer: string }) => pointer),
        ['/id'],
      );
    }
    await project(plane);
  }
  assert.equal((await plane.stored()).length, 1);
});

test('the same id in two tenants is two events', async (t) => {
  const plane = await IngressPlane.start(t);
  await plane.tenant('other');
  await plane.post(EVENT);
  const answer = await plane.post(
    { ...EVENT, data: 'other' },
    { path: '/v1/tenants/other/events' },
  );
  assert.equal(answer.status, 202);
  assert.equal(answer.headers['idempotency-replayed'], undefined);
  assert.equal((await plane.stored()).length, 2);
});

test('an Idempotency-Key, bare or quoted, is used as the id when the event has none', async (t) => {
  const plane = await IngressPlane.start(t);
  const headers = { 'idempotency-key': '8e03978e' };
  const event = { type: 'a.b', data: 1 };
  const first = await plane.post(event, { headers });
  const again = await plane.post(event, { headers: { 'idempotency-key': '"8e03978e"' } });
  assert.match(first.body.id, /^idk_[\w-]{43}$/);
  assert.equal(again.body.id, first.body.id);
  assert.equal(again.headers['idempotency-replayed'], 'true');
  const other = await plane.post({ ...event, data: 2 }, { headers });
  assert.equal(other.status, 409);
  const named = await plane.post({ ...event, id: 'mine' }, { headers });
  assert.equal(named.body.id, 'mine');
});

test('a batch under an Idempotency-Key can be repeated as a whole', async (t) => {
  const plane = await IngressPlane.start(t);
  const events = [{ type: 'a.b', data: 1 }, { type: 'a.b', data: 1 }, EVENT];
  const path = '/v1/tenants/acme/events/batch';
  const headers = { 'idempotency-key': 'nightly' };
  const first = await plane.post({ events }, { path, headers });
  const again = await plane.post({ events }, { path, headers });
  assert.equal(first.status, 202);
  const ids = first.body.results.map(({ id }: { id: string }) => id);
  assert.equal(new Set(ids).size, 3, 'two items of the batch have the same id');
  assert.equal(ids[2], EVENT.id, 'the id of the event overrides the key');
  assert.deepEqual(
    again.body.results,
    ids.map((id: string) => ({ status: 202, id, replayed: true })),
  );
  assert.equal((await plane.stored()).length, 3);
  const changed = { events: [{ type: 'a.b', data: 2 }, events[1], { ...EVENT, data: 2 }] };
  const other = await plane.post(changed, { path, headers });
  assert.deepEqual(
    other.body.results.map(({ status }: { status: number }) => status),
    [409, 202, 409],
  );
  const pointerOf = (item: number) => other.body.results[item].error.errors[0].pointer;
  assert.equal(pointerOf(0), '#header/idempotency-key');
  assert.equal(pointerOf(2), '/events/2/id');
});

test('rejects a key that was used for other content with an error that names the key', async (t) => {
  const plane = await IngressPlane.start(t);
  const headers = { 'idempotency-key': 'k1' };
  await plane.post({ type: 'a.b', data: 1 }, { headers });
  const { status, body } = await plane.post({ type: 'a.b', data: 2 }, { headers });
  assert.equal(status, 409);
  assert.equal(body.code, 'POSTHORN_EVENT_ID_REUSED');
  assert.equal(body.errors[0].pointer, '#header/idempotency-key');
});

test('a claim without a finished publish does not block the next try', async (t) => {
  const plane = await IngressPlane.start(t);
  await plane.post(EVENT);
  // The process died between the claim and the publish.
  await forgetMessageIds(plane);
  const answer = await plane.post(EVENT);
  assert.equal(answer.status, 202);
  assert.equal(answer.headers['idempotency-replayed'], undefined);
  assert.equal((await plane.stored()).length, 1);
});

test('twenty concurrent events with one id and content are stored once', async (t) => {
  const plane = await IngressPlane.start(t);
  const answers = await Promise.all(Array.from({ length: 20 }, () => plane.post(EVENT)));
  assert.ok(answers.every(({ status }) => status === 202));
  const fresh = answers.filter(({ headers }) => headers['idempotency-replayed'] === undefined);
  assert.equal(fresh.length, 1);
  assert.equal((await plane.stored()).length, 1);
});

test('rejects all but one of twenty concurrent events with one id and other content with 409', async (t) => {
  const plane = await IngressPlane.start(t);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => plane.post({ ...EVENT, data: i })),
  );
  const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
  assert.deepEqual(statuses, [202, ...Array<number>(19).fill(409)]);
  assert.equal((await plane.stored()).length, 1);
});

test('events are accepted once per id and counted in a metric while MongoDB is down', async (t) => {
  const mongod = await startMongod();
  t.after(() => mongod.dispose());
  const plane = await IngressPlane.start(t, { mongoUrl: mongod.url });
  assert.equal((await plane.post(EVENT)).status, 202);
  await mongod.kill('SIGKILL');
  const unprojected = { ...EVENT, id: 'order-2' };
  const first = await plane.post(unprojected);
  const again = await plane.post(unprojected);
  assert.deepEqual([first.status, again.status], [202, 202]);
  assert.equal(again.headers['idempotency-replayed'], 'true');
  const other = await plane.post({ ...unprojected, data: 'another' });
  assert.equal(other.status, 409, 'an event is answered as stored although it is not');
  assert.equal(other.body.code, 'POSTHORN_EVENT_ID_REUSED');
  assert.equal((await plane.stored()).length, 2);
  assert.ok((await plane.metric('posthorn_ingress_idempotency_skipped_total')) >= 2);

  // Now and then a publish tries MongoDB again. It must not wait for the server selection of 5 s.
  let posted = 0;
  const late: number[] = [];
  await waitUntil(
    async () => {
      const answer = plane.post({ ...EVENT, id: `later-${posted++}` });
      const inTime = await Promise.race([answer, delay(4500, undefined, { ref: false })]);
      if (inTime?.status !== 202) late.push(posted);
      return posted >= 20;
    },
    { what: 'twenty published', deadlineMs: 60_000, intervalMs: 100 },
  );
  assert.deepEqual(late, []);
});

test('events are accepted when MongoDB is down from the start', async (t) => {
  const mongod = await startMongod();
  await mongod.dispose();
  const plane = await IngressPlane.start(t, { mongoUrl: mongod.url });
  assert.equal((await plane.post(EVENT)).status, 202);
  assert.equal((await plane.post({ type: 'a.b' })).status, 202);
});
