/** Large events at ingress: first the object, then the event that names it (IN-12). */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import { storedMessages } from '../../nats-core.ts';
import { IngressPlane } from '../ingress-plane.ts';

const ENV = { payloadThresholdBytes: 4096, eventBytesMax: 8_388_608 };
const BINARY = {
  'ce-specversion': '1.0',
  'ce-id': 'b1',
  'ce-source': '/s',
  'ce-type': 'a.b',
  'content-type': 'image/png',
};

function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function objects(plane: IngressPlane): Promise<number> {
  const messages = await storedMessages(plane.core.jsm, 'OBJ_PAYLOADS');
  return messages.filter(({ subject }) => subject.startsWith('$O.PAYLOADS.M.')).length;
}

test('data over the threshold is stored separately, byte for byte, and the event refers to it', async (t) => {
  const plane = await IngressPlane.start(t, { settings: ENV });
  const data = `{ "n":12345678901234567890, "text":"${'x'.repeat(5000)}" }`;
  const answer = await plane.post(`{"type":"a.b","data":${data}}`);
  assert.equal(answer.status, 202);
  const [event] = await plane.stored();
  assert.equal(event?.data.length, 0);
  const { payload, ...head } = event.head;
  assert.match(payload?.key ?? '', /^acme\/pay_[0-9a-z]{26}$/);
  assert.equal(payload?.size, data.length);
  assert.equal(payload.sha256, sha256(data));
  assert.equal(head.kind, 'json');
  const stored = await plane.core.payloads.get(payload.key);
  assert.equal(stored?.bytes.toString(), data);
  assert.equal(stored.contentType, 'application/json');
});

test('events up to the threshold are stored inline', async (t) => {
  const plane = await IngressPlane.start(t, { settings: ENV });
  await plane.post({ type: 'a.b', id: 'probe', data: 'x' });
  const [probe] = await plane.stored();
  const head = (probe?.bytes.length ?? 0) - 3;
  const exact = { type: 'a.b', id: 'exact', data: 'x'.repeat(4096 - head - 2) };
  await plane.post(exact);
  await plane.post({ ...exact, id: 'above', data: `${exact.data}x` });
  const events = await plane.stored();
  assert.deepEqual(
    events.map(({ head }) => head.payload === undefined),
    [true, true, false],
  );
  assert.equal(events[1]?.bytes.length, 4096);
  assert.equal(await objects(plane), 1);
});

test('bytes and text of several MiB are stored, in batches and over NATS too', async (t) => {
  const plane = await IngressPlane.start(t, { settings: ENV });
  const image = randomBytes(6_000_000);
  assert.equal((await plane.post(image, { headers: BINARY })).status, 202);
  const text = 'ä'.repeat(3000);
  const batch = await plane.batch({
    events: [
      { type: 'a.b', data: text },
      { type: 'a.b', data: 1 },
    ],
  });
  assert.equal(batch.status, 202);
  const nc = await plane.core.connect();
  await nc.request('in.acme.a.b', JSON.stringify(text), { timeout: 10_000 });
  const events = await plane.stored();
  const apart = events.flatMap(({ head }) => head.payload ?? []);
  assert.deepEqual(
    apart.map(({ sha256 }) => sha256).toSorted(),
    [sha256(image), sha256(JSON.stringify(text)), sha256(JSON.stringify(text))].toSorted(),
  );
  assert.equal(events.length, 4);
  const png = events.find(({ head }) => head.kind === 'binary')?.head.payload;
  assert.equal((await plane.core.payloads.get(png?.key as string))?.contentType, 'image/png');
});

test('the large data of a broadcast is stored once for all its copies', async (t) => {
  const plane = await IngressPlane.start(t, { settings: ENV });
  const data = 'x'.repeat(5000);
  const answer = await plane.post({ type: 'a.b', data }, { path: '/v1/events' });
  assert.equal(answer.status, 202, answer.body.detail);
  const [message] = await storedMessages(plane.core.jsm, 'BCAST');
  const { head, data: left } = decodeEventFrame(message?.data as Buffer);
  assert.equal(left.length, 0);
  assert.match(head.payload?.key ?? '', /^broadcast\/pay_/);
  const stored = await plane.core.payloads.get(head.payload?.key as string);
  assert.equal(stored?.bytes.toString(), JSON.stringify(data));
});

test('rejects an event, a batch and a message over their size bounds', async (t) => {
  const settings = { ...ENV, eventBytesMax: 5_000_000 };
  const plane = await IngressPlane.start(t, { settings });
  const refused = async (bytes: number, headers: Record<string, string>, status: number) => {
    const answer = await plane.post(Buffer.alloc(bytes, 32), { headers });
    assert.equal(answer.status, status, answer.body.detail);
    assert.equal(answer.body.code, 'POSTHORN_EVENT_TOO_LARGE');
  };
  await refused(5_000_001, BINARY, 413);
  await refused(5_200_000, BINARY, 413);
  await refused(4_500_000, { 'content-type': 'application/cloudevents-batch+json' }, 413);
  assert.equal((await plane.post(Buffer.alloc(4_900_000), { headers: BINARY })).status, 202);
  assert.equal(await objects(plane), 1);
});

test('a threshold above the maximum payload of NATS has no effect', async (t) => {
  const settings = { ...ENV, payloadThresholdBytes: 4_194_304 };
  const plane = await IngressPlane.start(t, { settings });
  const most = plane.core.nc.info?.max_payload ?? 0;
  assert.ok(most > 0 && most <= 8_388_608);
  const answer = await plane.post(Buffer.alloc(Math.min(most, 8_000_000)), { headers: BINARY });
  assert.equal(answer.status, 202);
});

test('a replay or a duplicate by formula stores no second object', async (t) => {
  const plane = await IngressPlane.start(t, { settings: ENV });
  const event = { type: 'a.b', id: 'once', data: 'x'.repeat(5000) };
  await plane.post(event);
  const [{ seq } = { seq: 0 }] = await plane.stored();
  await plane.history.events.updateOne({ _id: 'acme/once' }, { $set: { seq } }, { upsert: true });
  const again = await plane.post(event);
  assert.equal(again.headers['idempotency-replayed'], 'true');
  await plane.eventType('f', { deduplication: { fields: ['/data'], windowSeconds: 60 } });
  const first = await plane.post({ type: 'f', data: event.data });
  await waitUntil(async () => {
    const [place] = await storedMessages(plane.core.jsm, 'DEDUP');
    return place?.data.toString().includes('stored');
  });
  const second = await plane.post({ type: 'f', data: event.data });
  assert.deepEqual(second.body, { id: first.body.id, status: 'accepted', deduplicated: true });
  assert.equal(await objects(plane), 2);
});

test('rejects only large events when the object store is down', async (t) => {
  const plane = await IngressPlane.start(t, { settings: ENV });
  await plane.core.jsm.streams.delete('OBJ_PAYLOADS');
  const large = await plane.post({ type: 'a.b', data: 'x'.repeat(5000) });
  assert.equal(large.status, 503);
  assert.equal(large.body.code, 'POSTHORN_PUBLISH_NOT_ACKED');
  assert.ok(large.headers['retry-after']);
  assert.equal((await plane.post({ type: 'a.b', data: 1 })).status, 202);
  assert.equal((await plane.stored()).length, 1);
});
