import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { systemClock } from '#infra/system-clock.ts';
import { BroadcastStore } from '#infra/nats/stores/broadcast-store.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { createLog } from '#infra/telemetry/log.ts';
import type { BroadcastProgress } from '#wire/frames/broadcast.ts';
import { type EventHead, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

const ACCEPTED_MS = Date.parse('2026-01-31T12:00:00Z');

async function storeOf(plane: ControlPlane, stops: (() => void)[]): Promise<BroadcastStore> {
  const publisher = new Publisher({
    clock: systemClock,
    nc: plane.nc,
    window: 64,
    log: createLog('silent'),
  });
  stops.push(() => publisher.close());
  const jsm = await jetstreamManager(plane.nc);
  return new BroadcastStore({ clock: systemClock, publisher, jsm: async () => jsm });
}

function add(store: BroadcastStore, id: string): Promise<boolean> {
  const head = { id, type: 'a.b', kind: 'json', acceptedMs: ACCEPTED_MS, broadcast: true };
  return store.add(id, encodeEventFrame(head as EventHead, '1'), 5000);
}

async function progressed(
  store: BroadcastStore,
  id: string,
  changes: Partial<BroadcastProgress>,
): Promise<void> {
  const progress: BroadcastProgress = {
    v: 1,
    eventSeq: (await store.event(id))?.seq ?? 0,
    state: 'running',
    startsAtMs: ACCEPTED_MS + 5000,
    tenants: { done: 256, total: 700 },
    endpoints: { done: 300, total: 900 },
    ...changes,
  };
  const { seq } = await store.progress(id);
  assert.ok((await store.writeProgress(id, progress, seq, 5000)) !== undefined);
}

const QUEUED = {
  id: 'b1',
  producer_id: 'b1',
  event_type: 'a.b',
  status: 'queued',
  accepted_at: '2026-01-31T12:00:00.000Z',
  starts_at: null,
  ended_at: null,
  tenants: { done_count: 0, total_count: null },
  endpoints: { done_count: 0, total_count: null },
};

test('broadcasts are listed page by page, and read one by one', async (t) => {
  const stops: (() => void)[] = [];
  t.after(() => stops.forEach((stop) => stop()));
  const plane = await startControlPlane(t);
  assert.deepEqual((await plane.call('GET', '/v1/broadcasts')).body, {
    data: [],
    next_cursor: null,
  });
  const store = await storeOf(plane, stops);
  const odd = 'a/b:c@d|e~f=g+h';
  for (const id of ['b1', 'b2', odd]) await add(store, id);
  await progressed(store, 'b2', {});
  const first = (await plane.call('GET', '/v1/broadcasts?limit=2')).body;
  assert.deepEqual(first.data, [
    QUEUED,
    {
      ...QUEUED,
      id: 'b2',
      producer_id: 'b2',
      status: 'running',
      starts_at: '2026-01-31T12:00:05.000Z',
      tenants: { done_count: 256, total_count: 700 },
      endpoints: { done_count: 300, total_count: 900 },
    },
  ]);
  const rest = (await plane.call('GET', `/v1/broadcasts?cursor=${first.next_cursor}`)).body;
  assert.deepEqual(
    rest.data.map((one: { id: string }) => one.id),
    [odd],
  );
  assert.equal(rest.next_cursor, null);
  const one = await plane.call('GET', `/v1/broadcasts/${encodeURIComponent(odd)}`);
  assert.deepEqual(one.body, { ...QUEUED, id: odd, producer_id: odd });
});

test('progress of an id that was used before is not that of the new event', async (t) => {
  const stops: (() => void)[] = [];
  t.after(() => stops.forEach((stop) => stop()));
  const plane = await startControlPlane(t);
  const store = await storeOf(plane, stops);
  await add(store, 'b1');
  await progressed(store, 'b1', { eventSeq: 99_999, state: 'done' });
  assert.deepEqual((await plane.call('GET', '/v1/broadcasts/b1')).body, QUEUED);
});

test('a waiting or running broadcast is cancelled, and an ended one is unchanged', async (t) => {
  const stops: (() => void)[] = [];
  t.after(() => stops.forEach((stop) => stop()));
  const plane = await startControlPlane(t);
  const store = await storeOf(plane, stops);
  for (const id of ['waits', 'runs', 'ended']) await add(store, id);
  await progressed(store, 'runs', { cursor: 't1', until: 't2' });
  await progressed(store, 'ended', { state: 'done', endedMs: ACCEPTED_MS + 9000 });
  const cancel = async (id: string) =>
    (await plane.call('POST', `/v1/broadcasts/${id}/cancel`)).body;
  const waits = await cancel('waits');
  assert.equal(waits.status, 'cancelled');
  assert.deepEqual(waits.tenants, { done_count: 0, total_count: null });
  const runs = await cancel('runs');
  assert.equal(runs.status, 'cancelled');
  assert.deepEqual(runs.tenants, { done_count: 256, total_count: 700 });
  assert.ok(runs.ended_at !== null);
  assert.deepEqual((await plane.call('GET', '/v1/broadcasts/runs')).body, runs);
  assert.deepEqual(await cancel('runs'), runs);
  assert.equal((await cancel('ended')).status, 'done');
});

test('rejects an unknown broadcast and an invalid cursor', async (t) => {
  const plane = await startControlPlane(t);
  for (const [method, path] of [
    ['GET', '/v1/broadcasts/none'],
    ['GET', `/v1/broadcasts/${encodeURIComponent('a.*.>')}`],
    ['POST', '/v1/broadcasts/none/cancel'],
  ] as const) {
    const answer = await plane.call(method, path);
    assert.equal(answer.status, 404, path);
    assert.equal(answer.body.code, 'POSTHORN_RESOURCE_UNKNOWN');
  }
  const bad = await plane.call('GET', '/v1/broadcasts?cursor=x');
  assert.equal(bad.body.code, 'POSTHORN_CURSOR_INVALID');
});

test('rejects broadcast requests with 503 when NATS is unavailable', async (t) => {
  const plane = await startControlPlane(t);
  await plane.nats.kill('SIGKILL');
  const answer = await plane.call('GET', '/v1/broadcasts');
  assert.equal(answer.status, 503);
  assert.equal(answer.body.code, 'POSTHORN_NATS_UNAVAILABLE');
});
