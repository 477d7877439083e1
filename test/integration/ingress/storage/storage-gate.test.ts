/** Publishing while JetStream has no room: POSTHORN_STORAGE_FULL, and accepted again afterwards. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storageMarks, streamBounds } from '#domain/storage-shares.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { streams, subjects } from '#wire/subjects.ts';
import { type Answer, IngressPlane } from '../ingress-plane.ts';

const MIB = 1024 * 1024;
const WAIT = { deadlineMs: 30_000, intervalMs: 50 };
const EVENT = { type: 'order.created', data: { total: 1 } };

/** Stores messages that are not events until a stream holds this many bytes. */
async function fill(plane: IngressPlane, subject: string, stream: string, bytes: number) {
  const { jsm, publisher } = plane.core;
  for (let i = 0; ; i++) {
    const { state } = await jsm.streams.info(stream);
    const missing = bytes - state.bytes;
    if (missing <= 0) return;
    const payload = Buffer.alloc(Math.min(Math.max(1, missing), 256 * 1024));
    const messageId = `${stream}:${i}`;
    await publisher.publishAsync({ subject, payload, messageId, timeoutMs: 10_000 });
  }
}

function assertFull({ status, headers, body }: Answer): void {
  assert.equal(status, 503, JSON.stringify(body));
  assert.equal(body.code, 'POSTHORN_STORAGE_FULL');
  assert.equal(headers['retry-after'], '10');
}

const untilStatus = (plane: IngressPlane, status: number): Promise<Answer> =>
  waitUntil(
    async () => {
      const answer = await plane.post(EVENT);
      return answer.status === status ? answer : undefined;
    },
    { what: `an event is answered with ${status}`, ...WAIT },
  );

test('events are refused before the storage is full, and accepted when there is room', async (t) => {
  const bytesMax = 16 * MIB;
  // The server has more room than the setting says: it is never the one that refuses.
  const plane = await IngressPlane.start(t, { bytesMax });
  const { jsm, nc } = plane.core;
  const waiting = subjects.held('acme', 'ep_1');
  await fill(plane, waiting, streams.deliveries(0), bytesMax * storageMarks.refuseFrom);
  assertFull(await untilStatus(plane, 503));
  assert.equal(await plane.metric('posthorn_ingress_storage_refusing'), 1);
  assert.ok((await plane.metric('posthorn_ingress_storage_used_ratio')) >= storageMarks.refuseFrom);
  assert.ok((await plane.metric('posthorn_ingress_events_total', { result: 'not_stored' })) > 0);

  assertFull(await plane.broadcast({ ...EVENT, id: 'b1' }));
  const batch = await plane.batch({ events: [EVENT, EVENT] });
  assert.deepEqual(
    batch.body.results.map((one: { error?: { code: string } }) => one.error?.code),
    ['POSTHORN_STORAGE_FULL', 'POSTHORN_STORAGE_FULL'],
    JSON.stringify(batch.body),
  );
  assert.equal(batch.headers['retry-after'], '10');
  const reply = await nc.request('in.acme.order.created', JSON.stringify({ data: {} }));
  assert.equal(reply.json<{ code: string }>().code, 'POSTHORN_STORAGE_FULL');
  assert.equal(reply.headers?.get('Retry-After'), '10');

  // Deliveries still have room, up to the bound of the server.
  await fill(plane, waiting, streams.deliveries(0), bytesMax * 0.97);
  // Between the marks the answer stays.
  const { state } = await jsm.streams.info(streams.deliveries(0));
  const average = state.bytes / state.messages;
  const between = (storageMarks.refuseFrom + storageMarks.acceptBelow) / 2;
  const keep = Math.ceil((bytesMax * between) / average);
  await jsm.streams.purge(streams.deliveries(0), { keep });
  await waitUntil(async () => {
    const ratio = await plane.metric('posthorn_ingress_storage_used_ratio');
    return ratio < storageMarks.refuseFrom && ratio >= storageMarks.acceptBelow;
  }, WAIT);
  assertFull(await plane.post(EVENT));

  await jsm.streams.purge(streams.deliveries(0));
  await untilStatus(plane, 202);
  assert.equal(await plane.metric('posthorn_ingress_storage_refusing'), 0);
});

test('events are refused before the records of deliveries have no room', async (t) => {
  const bytesMax = 16 * MIB;
  const plane = await IngressPlane.start(t, { bytesMax });
  const bound = streamBounds(bytesMax, 1).records;
  await fill(plane, subjects.records(0), streams.records(0), bound * storageMarks.refuseFrom);
  assertFull(await untilStatus(plane, 503));
  await plane.core.jsm.streams.purge(streams.records(0));
  await untilStatus(plane, 202);
});

test('events are refused with POSTHORN_STORAGE_FULL when their stream is at its bound', async (t) => {
  const bytesMax = 16 * MIB;
  const plane = await IngressPlane.start(t, { bytesMax, settings: { publishTimeoutMs: 600_000 } });
  const bound = streamBounds(bytesMax, 1);
  await fill(plane, subjects.event('other', 'a.b'), streams.events(0), bound.events - 1024);
  // The time limit of a publication is ten minutes: the refusal does not wait for it.
  assertFull(await untilStatus(plane, 503));
  assertFull(await plane.post({ ...EVENT, id: 'chosen' }));
  assert.equal(await plane.metric('posthorn_ingress_storage_refusing'), 0);
  await plane.core.jsm.streams.purge(streams.events(0));
  assert.equal((await plane.post({ ...EVENT, id: 'chosen' })).status, 202);
});

test('large events are refused with POSTHORN_STORAGE_FULL when payloads have no room', async (t) => {
  const plane = await IngressPlane.start(t, {
    bytesMax: 16 * MIB,
    settings: { payloadThresholdBytes: 100_000 },
  });
  const large = { ...EVENT, data: 'x'.repeat(400_000) };
  const answers: Answer[] = [];
  while (answers.at(-1)?.status !== 503) answers.push(await plane.post(large));
  assertFull(answers.at(-1) as Answer);
  assert.ok(answers.slice(0, -1).every(({ status }) => status === 202));
  assert.equal((await plane.post(EVENT)).status, 202);
});

test('events are refused with POSTHORN_STORAGE_FULL when the server itself is full', async (t) => {
  // No setting: the refusals of the server are the first to say so.
  const plane = await IngressPlane.start(t, {
    fileStoreBytesMax: 8 * MIB,
    settings: { publishTimeoutMs: 600_000 },
  });
  const { jsm } = plane.core;
  await fill(plane, subjects.held('acme', 'ep_1'), streams.deliveries(0), 8 * MIB);
  assertFull(await untilStatus(plane, 503));
  assertFull(await plane.broadcast({ ...EVENT, id: 'b1' }));
  await jsm.streams.purge(streams.deliveries(0));
  await untilStatus(plane, 202);
});
