import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { systemClock } from '#infra/system-clock.ts';
import { deliveryId } from '#domain/ids.ts';
import type { DeliveryStatus } from '#domain/outcome/delivery.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import {
  type DeliveryHead,
  decodeDeliveryFrame,
  deliveryMessageId,
  encodeDeliveryFrame,
} from '#wire/frames/delivery-frame.ts';
import { subjects } from '#wire/subjects.ts';
import { storedMessages } from '../../nats-core.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import { loseAnswers } from '../idempotency/crashed-request.ts';

let plane: ControlPlane;
let publisher: Publisher;
before(async (t) => {
  plane = await startControlPlane(t as never);
  publisher = new Publisher({
    clock: systemClock,
    nc: plane.nc,
    window: 100,
    log: createLog('silent'),
  });
  await plane.call('PUT', '/v1/tenants/acme', {});
});

after(() => publisher.close());

const path = '/v1/tenants/acme/deliveries';
const ENDPOINT = 'ep_1';

/** A delivery of the history; by its status a schedule waits for it, as a worker leaves it. */
async function addDelivery(event: string, status: DeliveryStatus, atMs = Date.now() + 3_600_000) {
  const id = deliveryId('acme', event, ENDPOINT);
  const at = new Date();
  await historyOf(plane.db).deliveries.insertOne({
    _id: id,
    tenant: 'acme',
    event,
    endpoint: ENDPOINT,
    type: 'order.created',
    accepted_at: at,
    state: { hop: 1, rank: 0, status, reason: null, at, next_attempt_at: new Date(atMs) },
  });
  const head: DeliveryHead = { id, endpoint: ENDPOINT, attemptNo: 3, hop: 2, eventSeq: 7 };
  if (status === 'pending') {
    await publisher.publishAsync({
      subject: subjects.waiting('acme', ENDPOINT, id),
      payload: encodeDeliveryFrame(head, Buffer.from('the event')),
      messageId: deliveryMessageId(id, head.hop),
      timeoutMs: 10_000,
      schedule: { atMs, target: subjects.delivery('acme', ENDPOINT, 'h') },
    });
  }
  if (status === 'held') await hold(head);
  return { id, head };
}

/** As a worker, or the router, holds it. */
const hold = (head: DeliveryHead) =>
  publisher.publishAsync({
    subject: subjects.held('acme', ENDPOINT),
    payload: encodeDeliveryFrame(head, Buffer.from('the event')),
    messageId: deliveryMessageId(head.id, head.hop),
    timeoutMs: 10_000,
  });

/** Returns the messages of a delivery in the stream. */
async function stored(id: string) {
  const messages = await storedMessages(await jetstreamManager(plane.nc), 'DLV-0');
  return messages
    .map(({ subject, data }) => ({ subject, ...decodeDeliveryFrame(data) }))
    .filter(({ head }) => head.id === id);
}

test('retry now removes the schedule and makes its message runnable once', async () => {
  const { id, head } = await addDelivery('e1', 'pending');
  const answer = await plane.call('POST', `${path}/${id}/retry`);
  assert.equal(answer.status, 202, answer.text);
  assert.deepEqual(answer.body, { id, delivery_id: id });
  const [message, ...more] = await stored(id);
  assert.equal(more.length, 0);
  assert.equal(message?.subject, subjects.delivery('acme', ENDPOINT, 'h'));
  assert.deepEqual(message?.head, head);
  assert.equal(message?.eventBytes.toString(), 'the event');
  const again = await plane.call('POST', `${path}/${id}/retry`);
  assert.equal(again.body.code, 'POSTHORN_DELIVERY_NOT_WAITING', again.text);
  assert.equal(again.status, 409);
  assert.equal((await stored(id)).length, 1);
});

test('ten concurrent retries send the delivery once', async () => {
  const { id } = await addDelivery('e2', 'pending');
  const ask = () => plane.call('POST', `${path}/${id}/retry`);
  const answers = await Promise.all(Array.from({ length: 10 }, ask));
  // Two actions that read the same schedule publish under one id, and the second gets the result of
  // the first.
  for (const { status } of answers) assert.ok([202, 409].includes(status));
  assert.ok(answers.some(({ status }) => status === 202));
  assert.equal((await stored(id)).length, 1);
});

test('a cancellation removes the schedule, and the worker gets a message to send nothing', async () => {
  const { id, head } = await addDelivery('e3', 'pending');
  const answer = await plane.call('POST', `${path}/${id}/cancel`);
  assert.equal(answer.status, 202, answer.text);
  const [message, ...more] = await stored(id);
  assert.equal(more.length, 0);
  assert.equal(message?.subject, subjects.delivery('acme', ENDPOINT, 'h'));
  assert.deepEqual(message?.head, { ...head, cancelled: true });
});

test('of a concurrent retry and cancellation one is done', async () => {
  const { id } = await addDelivery('e4', 'pending');
  const answers = await Promise.all([
    plane.call('POST', `${path}/${id}/cancel`),
    plane.call('POST', `${path}/${id}/retry`),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [202, 409],
  );
  const [message, ...more] = await stored(id);
  assert.equal(more.length, 0);
  assert.equal(message?.head.cancelled === true, answers[0]?.status === 202);
});

test('rejects retry and cancellation of a schedule that has fired', async () => {
  const { id } = await addDelivery('e5', 'pending', Date.now() + 100);
  await waitUntil(async () => (await stored(id))[0]?.subject.includes('.h.'), { what: 'it fired' });
  for (const action of ['retry', 'cancel']) {
    const answer = await plane.call('POST', `${path}/${id}/${action}`);
    assert.equal(answer.body.code, 'POSTHORN_DELIVERY_NOT_WAITING', answer.text);
    assert.equal(answer.body.detail, 'it is being attempted');
  }
  assert.equal((await stored(id)).length, 1);
});

test('a held delivery is cancelled alone, and the worker gets a message to send nothing', async () => {
  const others = await Promise.all(['h1', 'h2', 'h3'].map((event) => addDelivery(event, 'held')));
  const { id, head } = await addDelivery('h4', 'held');
  others.push(await addDelivery('h5', 'held'));
  const answer = await plane.call('POST', `${path}/${id}/cancel`);
  assert.equal(answer.status, 202, answer.text);
  const [message, ...more] = await stored(id);
  assert.equal(more.length, 0);
  assert.equal(message?.subject, subjects.delivery('acme', ENDPOINT, 'r'));
  assert.deepEqual(message?.head, { ...head, hop: head.hop + 1, cancelled: true });
  for (const other of others) {
    assert.equal((await stored(other.id))[0]?.subject, subjects.held('acme', ENDPOINT));
  }
  const again = await plane.call('POST', `${path}/${id}/cancel`);
  assert.equal(again.body.code, 'POSTHORN_DELIVERY_NOT_WAITING', again.text);
});

test('a held delivery is found behind more than one batch of held messages', async () => {
  const before = Array.from({ length: 1100 }, (_, i) => `many_${i}`);
  await Promise.all(
    before.map((event) =>
      hold({ id: event, endpoint: ENDPOINT, attemptNo: 1, hop: 0, eventSeq: 1 }),
    ),
  );
  const { id } = await addDelivery('behind', 'held');
  const answer = await plane.call('POST', `${path}/${id}/cancel`);
  assert.equal(answer.status, 202, answer.text);
});

test('of a concurrent release and cancellation of a held delivery the first is kept', async () => {
  const { id, head } = await addDelivery('h6', 'held');
  // As the worker releases it, before it deletes the held message.
  await publisher.publishAsync({
    subject: subjects.delivery('acme', ENDPOINT, 'r'),
    payload: encodeDeliveryFrame({ ...head, hop: head.hop + 1 }, Buffer.from('the event')),
    messageId: deliveryMessageId(id, head.hop + 1),
    timeoutMs: 10_000,
  });
  const answer = await plane.call('POST', `${path}/${id}/cancel`);
  assert.equal(answer.status, 409, answer.text);
  assert.equal(answer.body.detail, 'it is being released or cancelled');
  const [message, ...more] = await stored(id);
  assert.equal(more.length, 0);
  assert.equal(message?.head.cancelled, undefined);
});

test('rejects actions on ended, held and unknown deliveries', async () => {
  const held = await addDelivery('e_held', 'held');
  const hurried = await plane.call('POST', `${path}/${held.id}/retry`);
  assert.equal(hurried.body.code, 'POSTHORN_DELIVERY_NOT_WAITING', hurried.text);
  assert.equal(hurried.body.detail, 'it is held');
  for (const status of ['delivered', 'cancelled'] as const) {
    const { id } = await addDelivery(`e_${status}`, status);
    for (const action of ['retry', 'cancel']) {
      const answer = await plane.call('POST', `${path}/${id}/${action}`);
      assert.equal(answer.body.code, 'POSTHORN_DELIVERY_NOT_WAITING', answer.text);
      assert.equal(answer.body.detail, `it is ${status}`);
    }
  }
  const failed = await addDelivery('e_failed', 'failed');
  const cancelled = await plane.call('POST', `${path}/${failed.id}/cancel`);
  assert.equal(cancelled.body.code, 'POSTHORN_DELIVERY_NOT_WAITING');
  // The dead letter of the delivery is not in the history yet.
  const replayed = await plane.call('POST', `${path}/${failed.id}/retry`);
  assert.equal(replayed.body.code, 'POSTHORN_RESOURCE_UNKNOWN', replayed.text);
  const unknown = await plane.call('POST', `${path}/dlv_none/retry`);
  assert.equal(unknown.body.code, 'POSTHORN_RESOURCE_UNKNOWN');
});

/** Sends the action under its own key for each delivery. */
const act = (id: string, action: 'retry' | 'cancel') =>
  plane.call('POST', `${path}/${id}/${action}`, undefined, {
    headers: { 'idempotency-key': `${action} ${id}` },
  });

/** As a worker stores the next state of a delivery after its attempt `attemptNo - 1`. */
const schedule = (head: DeliveryHead) =>
  publisher.publishAsync({
    subject: subjects.waiting('acme', ENDPOINT, head.id),
    payload: encodeDeliveryFrame(head, Buffer.from('the event')),
    messageId: deliveryMessageId(head.id, head.hop),
    timeoutMs: 10_000,
    schedule: {
      atMs: Date.now() + 3_600_000,
      target: subjects.delivery('acme', ENDPOINT, 'r'),
    },
  });

test('a repeated retry starts no second attempt when its process died before the answer', async () => {
  const { id, head } = await addDelivery('died_after', 'pending');
  assert.equal((await act(id, 'retry')).status, 202);
  await loseAnswers(plane.db);
  const beforeRecord = await act(id, 'retry');
  assert.deepEqual([beforeRecord.status, beforeRecord.body], [202, { id, delivery_id: id }]);
  await loseAnswers(plane.db);
  // The worker made the attempt, and waits for the next one.
  await schedule({ ...head, attemptNo: head.attemptNo + 1, hop: head.hop + 1 });
  const again = await act(id, 'retry');
  assert.deepEqual([again.status, again.body], [202, { id, delivery_id: id }]);
  const subjectsNow = (await stored(id)).map(({ subject }) => subject);
  assert.ok(subjectsNow.includes(subjects.waiting('acme', ENDPOINT, id)), 'it still waits');
  await loseAnswers(plane.db);
  await historyOf(plane.db).deliveries.updateOne(
    { _id: id },
    { $set: { 'state.status': 'delivered' } },
  );
  assert.deepEqual((await act(id, 'retry')).body, { id, delivery_id: id });
});

test('a repeated retry starts the attempt when its process died before it', async () => {
  const { id, head } = await addDelivery('died_before', 'pending');
  assert.equal((await act(id, 'retry')).status, 202);
  await loseAnswers(plane.db);
  // As if the request had only stored its note: the same attempt waits.
  const jsm = await jetstreamManager(plane.nc);
  await jsm.streams.purge('DLV-0', { filter: subjects.delivery('acme', ENDPOINT, 'h') });
  await schedule({ ...head, hop: head.hop + 1 });
  assert.equal((await act(id, 'retry')).status, 202);
  const [message, ...more] = await stored(id);
  assert.equal(more.length, 0);
  assert.equal(message?.subject, subjects.delivery('acme', ENDPOINT, 'r'));
});

test('a repeated cancellation succeeds once the worker has recorded the earlier one', async () => {
  for (const status of ['pending', 'held'] as const) {
    const { id } = await addDelivery(`cancelled_${status}`, status);
    assert.equal((await act(id, 'cancel')).status, 202);
    await loseAnswers(plane.db);
    const early = await act(id, 'cancel');
    assert.equal(early.status, 503, early.text);
    await historyOf(plane.db).deliveries.updateOne(
      { _id: id },
      { $set: { 'state.status': 'cancelled' } },
    );
    const again = await act(id, 'cancel');
    assert.deepEqual([again.status, again.body], [202, { id }]);
    assert.equal((await stored(id)).length, 1);
    const other = await plane.call('POST', `${path}/${id}/cancel`);
    assert.equal(other.status, 409, 'without the key it is another request');
  }
});
