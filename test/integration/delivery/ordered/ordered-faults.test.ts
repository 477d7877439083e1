/** Ordered endpoints under faults: of a worker, an answer, a bucket, a message. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { encodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { buckets, subjects } from '#wire/subjects.ts';
import { DEAD_LETTER, OFTEN, PATH, publishOrdered, received } from './ordered-queue.ts';
import { Worker } from '../worker.ts';

test('another worker continues with the number and the time of the next attempt', async (t) => {
  const policy = { delaysSeconds: [0.2, 8, 600], finalStatuses: [], retryAfterMaxMs: 1000 };
  const worker = await Worker.start(t, { retryPolicy: policy });
  worker.endpoint('acme', 'ep_1', DEAD_LETTER);
  worker.receiver.on(PATH, (_request, nth) => ({ status: nth <= 2 ? 500 : 200 }));
  const published = await publishOrdered(worker, 2);
  await worker.receiver.waitFor(2, PATH);
  // Both own the shard at some time: the first releases it when it stops.
  const stopSecond = await worker.begin('worker-2');
  t.after(stopSecond);
  await worker.stopFirst();
  const records = await worker.recordsUntil(published[0]?.id as string, 'delivered');
  await worker.waitUntilEmpty();
  assert.deepEqual(
    records.map(({ attempt }) => attempt?.no),
    [1, 2, 3],
  );
  assert.equal(records.at(-1)?.attempt?.worker, 'worker-2');
  assert.deepEqual(
    received(worker),
    [0, 0, 0, 1].map((i) => published[i]?.event),
  );
  const [, second, third] = worker.receiver.at(PATH).map(({ atMs }) => atMs);
  assert.ok((third as number) - (second as number) >= 7100, 'it did not wait for its time');
});

test('an undecodable message does not block the messages behind it', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', DEAD_LETTER);
  const head = { id: 'dlv_1', endpoint: 'ep_1', attemptNo: 1, hop: 0, eventSeq: 1 };
  const unreadable = [
    Buffer.from('rubbish'),
    encodeDeliveryFrame(head, Buffer.from('rubbish')),
    encodeDeliveryFrame(head, Buffer.alloc(0)),
  ];
  for (const [i, payload] of unreadable.entries()) {
    await worker.core.publisher.publishAsync({
      subject: subjects.ordered('acme', 'ep_1'),
      payload,
      messageId: `rubbish ${i}`,
      timeoutMs: 5000,
    });
  }
  const published = await publishOrdered(worker, 1);
  await worker.recordsUntil(published[0]?.id as string, 'delivered');
  await worker.waitUntilEmpty();
});

test('a queue continues when the answers to its removals are lost', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', DEAD_LETTER);
  const { streams: api } = worker.core.jsm;
  const removed = api.deleteMessage.bind(api);
  const unanswered = new Set<number>();
  t.mock.method(api, 'deleteMessage', async (stream: string, seq: number, erase?: boolean) => {
    const done = await removed(stream, seq, erase);
    if (unanswered.has(seq)) return done;
    unanswered.add(seq);
    throw new Error('timeout');
  });
  // Messages before them in the stream: their removal leaves a gap.
  worker.endpoint('acme', 'ep_2', { ...DEAD_LETTER, state: 'paused' });
  await worker.publishDelivery('acme', 'ep_2', { deliveryClass: 'o' });
  const published = await publishOrdered(worker, 3);
  await worker.recordsUntil(published[2]?.id as string, 'delivered');
  assert.deepEqual(
    received(worker),
    published.map(({ event }) => event),
  );
  assert.equal(unanswered.size, 3);
});

test('a queue stops without its bucket, and continues once the bucket is recreated', async (t) => {
  const worker = await Worker.start(t, { retryPolicy: OFTEN });
  worker.endpoint('acme', 'ep_1', DEAD_LETTER);
  const { js, jsm } = worker.core;
  const bad = new Set([2, 3, 4]);
  worker.receiver.on(PATH, (_request, nth) => ({ status: bad.has(nth) ? 500 : 200 }));
  const published = await publishOrdered(worker, 1);
  await worker.waitUntilEmpty();
  await jsm.streams.delete(`KV_${buckets.ordered}`);
  published.push(...(await publishOrdered(worker, 2)));
  assert.equal(received(worker).length, 1);
  await new Kvm(js).create(buckets.ordered, { history: 1 });
  await worker.waitUntilEmpty();
  const order = published.map(({ event }) => event);
  assert.deepEqual(
    received(worker),
    [0, 1, 1, 1, 1, 2].map((i) => order[i]),
  );
});
