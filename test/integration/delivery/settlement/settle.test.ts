import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import type { Publication, Published } from '#infra/nats/publish/publisher.ts';
import { decodeDeliveryFrame, encodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import { consumers, streams, subjects } from '#wire/subjects.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { Worker } from '../worker.ts';

test('a delivery is sent signed, recorded and removed from the stream', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { headers: { 'x-team': 'blue' } });
  const { event, delivery } = await worker.publishDelivery('acme', 'ep_1', {
    data: '{"n":1.0,"n":2}',
  });
  const [request] = await worker.receiver.waitFor(1, '/acme/ep_1');
  assert.ok(request);
  new Webhook(worker.secret).verify(request.body, request.headers);
  assert.equal(request.headers['webhook-id'], event.id);
  assert.equal(request.headers['content-type'], 'application/json');
  assert.equal(request.headers['x-team'], 'blue');
  assert.ok(request.body.toString().endsWith('"data":{"n":1.0,"n":2}}'));
  const [record, ...more] = await worker.recordsUntil(delivery.id, 'delivered');
  assert.equal(more.length, 0);
  assert.equal(record?.event, event.id);
  assert.equal(record?.tenant, 'acme');
  assert.equal(record?.hop, 0);
  assert.equal(record?.attempt?.no, 1);
  assert.equal(record?.attempt?.status, 200);
  assert.equal(record?.attempt?.worker, 'worker-1');
  await worker.waitUntilEmpty();
  assert.equal(worker.receiver.requests.length, 1);
  assert.equal(await worker.metric('posthorn_delivery_attempts_total', { outcome: 'success' }), 1);
});

test('a failure waits as a schedule and returns as attempt 2 with the same webhook-id', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.receiver.on('/acme/ep_1', (_request, nth) => ({ status: nth === 1 ? 500 : 200 }));
  const { event, delivery } = await worker.publishDelivery('acme', 'ep_1');
  const requests = await worker.receiver.waitFor(2, '/acme/ep_1');
  assert.deepEqual(
    requests.map(({ headers }) => headers['webhook-id']),
    [event.id, event.id],
  );
  for (const { body, headers } of requests) new Webhook(worker.secret).verify(body, headers);
  const [first, second] = await worker.recordsUntil(delivery.id, 'delivered');
  assert.deepEqual([first?.status, first?.hop, first?.attempt?.no], ['pending', 0, 1]);
  assert.equal(first?.attempt?.failure, 'http_status');
  assert.ok(first?.attempt);
  const { startedMs, durationMs } = first.attempt;
  const waitMs = (first?.nextAttemptMs as number) - startedMs;
  assert.ok(waitMs >= 0.9 * 300 && waitMs <= durationMs + 2000, `${waitMs} ms`);
  assert.deepEqual([second?.status, second?.hop, second?.attempt?.no], ['delivered', 1, 2]);
  assert.ok((second?.attempt?.startedMs as number) >= (first?.nextAttemptMs as number), 'early');
  await worker.waitUntilEmpty();
  const delays = 'posthorn_delivery_retry_delay_seconds';
  assert.equal(await worker.metric(delays, { le: '+Inf' }), 1, 'the retry alone');
});

test('a waiting delivery is one schedule, and not in a mailbox', async (t) => {
  const retryPolicy = { delaysSeconds: [3600], finalStatuses: [], retryAfterMaxMs: 0 };
  const worker = await Worker.start(t, { retryPolicy });
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise({ status: 503 });
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(delivery.id, 'pending');
  await waitUntil(async () => {
    const [waiting, ...more] = await worker.storedMessages();
    assert.equal(waiting?.subject, subjects.waiting('acme', 'ep_1', delivery.id));
    assert.equal(waiting?.messageId, `${delivery.id}:1`);
    return more.length === 0;
  });
  assert.equal(await worker.metric('posthorn_delivery_mailbox_messages'), 0);
});

test('a receiver gets the delay that its Retry-After asks for', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise({ status: 429, headers: { 'retry-after': '30' } });
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  const [record] = await worker.recordsUntil(delivery.id, 'pending');
  const waitMs = (record?.nextAttemptMs as number) - (record?.attempt?.startedMs as number);
  assert.ok(waitMs >= 30_000, `${waitMs} ms`);
});

test('after the last attempt the dead letter has the whole event, and the record says failed', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise({ status: 500, body: 'no' });
  const { event, delivery } = await worker.publishDelivery('acme', 'ep_1', {
    data: '{"big":12345678901234567890}',
  });
  const records = await worker.recordsUntil(delivery.id, 'failed');
  assert.deepEqual(
    records.map(({ attempt }) => attempt?.no),
    [1, 2, 3],
  );
  assert.equal(records.at(-1)?.reason, 'exhausted');
  const [letter, ...more] = await worker.deadLetters();
  assert.equal(more.length, 0);
  assert.ok(letter);
  assert.equal(letter.subject, subjects.deadLetter('acme', 'ep_1'));
  const { head, eventBytes } = decodeDeliveryFrame(letter.data);
  const frame = decodeEventFrame(eventBytes);
  assert.deepEqual(frame.head, event);
  assert.equal(frame.data.toString(), '{"big":12345678901234567890}');
  const stored = head as unknown as { reason: string; lastAttempt: { responseBody: string } };
  assert.equal(stored.reason, 'exhausted');
  assert.equal(stored.lastAttempt.responseBody, 'no');
  await worker.waitUntilEmpty();
  assert.equal(worker.receiver.requests.length, 3);
});

test('http to an address that the operator did not allow is a failed attempt, and nothing is sent', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { url: 'http://192.0.2.1/hook' });
  worker.endpoint('acme', 'ep_2', { url: 'https://10.0.0.1/hook' });
  for (const endpoint of ['ep_1', 'ep_2']) {
    const { delivery } = await worker.publishDelivery('acme', endpoint);
    const [record] = await worker.recordsUntil(delivery.id, 'failed');
    assert.equal(record?.attempt?.failure, 'forbidden_address');
  }
});

const undecodable: [string, string, string][] = [
  ['no frame', subjects.delivery('acme', 'ep_1'), 'rubbish'],
  ['no head', subjects.delivery('acme', 'ep_1'), '{}\n{}\n{}'],
  ['an event without head', subjects.delivery('acme', 'ep_1'), '{"id":"dlv_1"}\nnull\n{}'],
  ['a short subject', 'dlv.0.s.acme', '{"id":"dlv_1"}\n{"id":"e1"}\n{}'],
];
test('a message that is not a delivery is terminated, not redelivered, and blocks no others', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  for (const [what, subject, payload] of undecodable) {
    await worker.core.publisher.publishAsync({
      subject,
      payload: Buffer.from(payload),
      messageId: what,
      timeoutMs: 5000,
    });
  }
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(delivery.id, 'delivered');
  await worker.waitUntilEmpty();
  assert.equal(worker.receiver.requests.length, 1);
});

test('a redelivery of a settled delivery is acked and not sent again', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(delivery.id, 'delivered');
  await worker.waitUntilEmpty();
  const { publisher } = worker.core;
  // Under another message id, as after a restart of the server, which forgets the ids of acked
  // messages.
  const eventFrame = Buffer.from('{"id":"e0","type":"a.b","source":"/","time":"x"}\n{}');
  await publisher.publishAsync({
    subject: subjects.delivery('acme', 'ep_1'),
    payload: encodeDeliveryFrame(delivery, eventFrame),
    messageId: 'another',
    timeoutMs: 5000,
  });
  await worker.waitUntilEmpty();
  assert.equal(worker.receiver.requests.length, 1);
});

test('a redelivery is acked only after its record is stored', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  const { jsm } = worker.core;
  // Rejects every record.
  await jsm.streams.update(streams.records(0), { max_msg_size: 10 });
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.receiver.waitFor(1, '/acme/ep_1');
  await jsm.consumers.reset(streams.deliveries(0), consumers.deliverShared);
  await worker.publishDelivery('acme', 'ep_1');
  // From the same consumer, so the first one was redelivered before.
  await worker.receiver.waitFor(2, '/acme/ep_1');
  assert.equal((await worker.storedMessages()).length, 2);
  await jsm.streams.update(streams.records(0), { max_msg_size: -1 });
  await worker.recordsUntil(delivery.id, 'delivered');
  await worker.waitUntilEmpty();
  assert.equal(worker.receiver.requests.length, 2);
});

test('an attempt that a stop aborts belongs to the next worker, and is not a failed attempt', async (t) => {
  const worker = await Worker.start(t, { settings: { shutdownDeadlineMs: 100 } });
  worker.endpoint('acme', 'ep_1');
  worker.receiver.on('/acme/ep_1', (_request, nth) =>
    nth === 1 ? { hang: 'request' } : { status: 200 },
  );
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.receiver.waitFor(1, '/acme/ep_1');
  await worker.stopFirst();
  worker.stopFirst = await worker.begin('worker-2');
  const records = await worker.recordsUntil(delivery.id, 'delivered');
  assert.deepEqual(
    records.map(({ attempt }) => [attempt?.no, attempt?.worker]),
    [[1, 'worker-2']],
  );
  await worker.waitUntilEmpty();
  // Counted as `unexpected`, it would suggest a defect at each rollout.
  assert.equal(await worker.metric('posthorn_delivery_attempts_total'), 0);
});

test('a worker that stops waits until the next states of its deliveries are stored', async (t) => {
  const hourly = { delaysSeconds: [3600], finalStatuses: [], retryAfterMaxMs: 60_000 };
  const worker = await Worker.start(t, { retryPolicy: hourly });
  worker.endpoint('acme', 'ep_1');
  worker.receiver.on('/acme/ep_1', (_request, nth) => ({ status: nth === 1 ? 503 : 200 }));
  const { publisher, jsm } = worker.core;
  const publish = publisher.publish.bind(publisher);
  const answers: (() => void)[] = [];
  t.mock.method(publisher, 'publish', (publication: Publication, done: Published) =>
    publish(publication, (error, ack) => {
      if (publication.schedule === undefined) done(error, ack);
      else answers.push(() => done(error, ack));
    }),
  );
  await worker.publishDelivery('acme', 'ep_1');
  await waitUntil(() => answers.length === 1);
  const order: string[] = [];
  const stopped = worker.stopFirst().then(() => order.push('stopped'));
  // Far more than a worker needs to release deliveries that have not started.
  for (let n = 0; n < 100; n++) await jsm.streams.info(streams.deliveries(0));
  order.push('stored');
  for (const answer of answers) answer();
  await stopped;
  assert.deepEqual(order, ['stored', 'stopped']);
  worker.stopFirst = await worker.begin('worker-2');
  const second = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(second.delivery.id, 'delivered');
  assert.equal(worker.receiver.requests.length, 2, 'the failed one waits for its hour');
});
