import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { systemClock } from '#infra/system-clock.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { SequenceStore } from '#infra/nats/stores/sequence-store.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { streams } from '#wire/subjects.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import { type SeededTenant, seedTenant } from '../replays/seeded-history.ts';

interface Plane {
  plane: ControlPlane;
  acme: SeededTenant;
  /** Gives the next numbers, as the router does. */
  give: (count: number) => Promise<void>;
  list: (query?: string) => ReturnType<ControlPlane['call']>;
}

async function start(t: TestContext): Promise<Plane> {
  const plane = await startControlPlane(t);
  const acme = await seedTenant(plane, 'acme');
  const jsm = await jetstreamManager(plane.nc);
  const log = createLog('silent');
  const publisher = new Publisher({ nc: plane.nc, window: 64, clock: systemClock, log });
  t.after(() => publisher.close());
  const store = new SequenceStore({
    publisher,
    jsm: () => Promise.resolve(jsm),
    now: systemClock.wallMs,
  });
  return {
    plane,
    acme,
    async give(count) {
      const last = await store.last('acme', acme.endpoint);
      let { seq } = last ?? { seq: 0 };
      const first = (last?.entry.sequence ?? 0) + 1;
      for (let n = first; n < first + count; n++) {
        const entry = {
          sequence: n,
          delivery: `dlv_${n}`,
          event: `e${n}`,
          latest: { storedMs: n, seq: n },
        };
        seq = (await store.append('acme', acme.endpoint, entry, seq)) as number;
      }
    },
    list: (query = '') =>
      plane.call('GET', `${acme.path}/endpoints/${acme.endpoint}/reconcile${query}`),
  };
}

interface Listed {
  sequence: number;
  status: string;
  event_id: string | null;
  delivery_id: string | null;
}

const shown = (body: { data: Listed[] }): (string | number | null)[][] =>
  body.data.map(({ sequence, status, event_id }) => [sequence, status, event_id]);

test('reconcile lists each number with its event and state, without gaps', async (t) => {
  const { acme, give, list } = await start(t);
  assert.deepEqual((await list()).body, { data: [], next_cursor: null, last_sequence: 0 });
  await give(6);
  await acme.addDelivery('e1', 'delivered', { sequence: 1 });
  await acme.addDelivery('e2', 'failed', { sequence: 2 });
  await acme.addDelivery('e3', 'cancelled', { sequence: 3 });
  await acme.addDelivery('e4', 'held', { sequence: 4 });
  const { body } = await list();
  assert.deepEqual(shown(body), [
    [1, 'delivered', 'e1'],
    [2, 'failed', 'e2'],
    [3, 'cancelled', 'e3'],
    [4, 'held', 'e4'],
    // The projector is behind, or their subscription was removed.
    [5, 'unrecorded', 'e5'],
    [6, 'unrecorded', 'e6'],
  ]);
  assert.equal(body.data[4].delivery_id, 'dlv_5');
  assert.equal(body.last_sequence, 6);
});

test('a number shows the delivery that came furthest when it was replayed', async (t) => {
  const { acme, give, list } = await start(t);
  await give(2);
  await acme.addDelivery('e1', 'failed', { sequence: 1 });
  const replay = await acme.addDelivery('e1', 'delivered', { sequence: 1, _id: 'dlv_replay' });
  await acme.addDelivery('e2', 'delivered', { sequence: 2 });
  await acme.addDelivery('e2', 'pending', { sequence: 2, _id: 'dlv_again' });
  const { body } = await list();
  assert.deepEqual(shown(body), [
    [1, 'delivered', 'e1'],
    [2, 'delivered', 'e2'],
  ]);
  assert.equal(body.data[0].delivery_id, replay);
});

test('the pages of a range end where it ended, though numbers are added', async (t) => {
  const { give, list } = await start(t);
  await give(7);
  const first = await list('?from=2&limit=3');
  assert.deepEqual(
    first.body.data.map(({ sequence }: Listed) => sequence),
    [2, 3, 4],
  );
  await give(2);
  const cursor = first.body.next_cursor as string;
  const second = await list(`?from=2&limit=3&cursor=${cursor}`);
  assert.deepEqual(
    second.body.data.map(({ sequence }: Listed) => sequence),
    [5, 6, 7],
  );
  assert.equal(second.body.next_cursor, null);
  assert.equal(second.body.last_sequence, 9);
  const other = await list(`?from=3&limit=3&cursor=${cursor}`);
  assert.equal(other.status, 400);
  assert.equal(other.body.code, 'POSTHORN_CURSOR_INVALID');
});

test('a range beyond the last number is empty', async (t) => {
  const { give, list } = await start(t);
  await give(2);
  const { body } = await list('?from=3&to=9');
  assert.deepEqual(body, { data: [], next_cursor: null, last_sequence: 2 });
});

test('numbers that the stream no longer has are listed without their event', async (t) => {
  const { plane, give, list } = await start(t);
  await give(5);
  const jsm = await jetstreamManager(plane.nc);
  await jsm.streams.purge(streams.sequences, { seq: 4 });
  assert.deepEqual(shown((await list()).body), [
    [1, 'unrecorded', null],
    [2, 'unrecorded', null],
    [3, 'unrecorded', null],
    [4, 'unrecorded', 'e4'],
    [5, 'unrecorded', 'e5'],
  ]);
});

test('reconcile rejects a wrong range and an unknown endpoint', async (t) => {
  const { plane, acme, list } = await start(t);
  for (const query of ['?from=0', '?to=0', '?from=x', '?from=5&to=4', '?to=9007199254740993']) {
    const { status, body } = await list(query);
    assert.equal(status, 400, query);
    assert.match(body.errors[0].pointer as string, /^#query\/(from|to)$/, query);
  }
  const missing = await plane.call('GET', `${acme.path}/endpoints/ep_none/reconcile`);
  assert.equal(missing.status, 404);
  const other = await seedTenant(plane, 'globex');
  const foreign = await plane.call('GET', `${other.path}/endpoints/${acme.endpoint}/reconcile`);
  assert.equal(foreign.status, 404, 'the endpoint of another tenant');
});

test('reconcile uses the index of the numbers', async (t) => {
  const { plane, acme } = await start(t);
  const filter = {
    tenant: 'acme',
    endpoint: acme.endpoint,
    sequence: { $exists: true, $gte: 1, $lte: 9 },
  };
  const { deliveries } = historyOf(plane.db);
  // The planner compares the indexes by the documents that each reads.
  for (let n = 1; n <= 30; n++) await acme.addDelivery(`unnumbered-${n}`, 'delivered', {});
  for (let n = 1; n <= 3; n++) await acme.addDelivery(`e${n}`, 'delivered', { sequence: n });
  // An index that is being built is listed, and not used yet.
  const usedIndex = async (): Promise<string | undefined> => {
    const plan = JSON.stringify(await deliveries.find(filter).explain('queryPlanner'));
    return /"winningPlan":\{.*?"indexName":"(\w+)"/.exec(plan)?.[1];
  };
  await waitUntil(async () => (await usedIndex()) === 'tenant_1_endpoint_1_sequence_1', {
    what: 'the index in use',
  });
});

test('the numbers of a deleted endpoint are removed', async (t) => {
  const { plane, acme, give } = await start(t);
  await give(3);
  await plane.call('DELETE', `${acme.path}/endpoints/${acme.endpoint}`);
  const jsm = await jetstreamManager(plane.nc);
  await waitUntil(async () => (await jsm.streams.info(streams.sequences)).state.messages === 0);
});
