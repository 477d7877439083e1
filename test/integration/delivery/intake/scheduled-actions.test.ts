import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { decodeDeliveryFrame, encodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { subjects } from '#wire/subjects.ts';
import { Worker } from '../worker.ts';

const IN_AN_HOUR = { delaysSeconds: [3600], finalStatuses: [], retryAfterMaxMs: 0 };

/** Publishes the payload of a delivery's schedule to the worker, in place of the schedule. */
async function takeFromSchedule(worker: Worker, id: string, cancelled: boolean): Promise<void> {
  const subject = subjects.waiting('acme', 'ep_1', id);
  const waiting = await waitUntil(
    async () =>
      (await worker.core.jsm.direct.getMessage('DLV-0', { last_by_subj: subject })) ?? undefined,
  );
  const { head, eventBytes } = decodeDeliveryFrame(waiting.data);
  await worker.core.publisher.publishAsync({
    subject: subjects.delivery('acme', 'ep_1'),
    payload: encodeDeliveryFrame(cancelled ? { ...head, cancelled: true } : head, eventBytes),
    messageId: `${id}:${head.hop}:taken`,
    timeoutMs: 10_000,
    cancels: { subject, seq: waiting.seq },
  });
}

test('a delivery sent before its retry is due makes the next attempt, and keeps its retry schedule', async (t) => {
  const worker = await Worker.start(t, { retryPolicy: IN_AN_HOUR });
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise((_request, nth) => ({ status: nth === 1 ? 500 : 200 }));
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(delivery.id, 'pending');
  await takeFromSchedule(worker, delivery.id, false);
  const records = await worker.recordsUntil(delivery.id, 'delivered');
  assert.deepEqual(
    records.map(({ attempt }) => attempt?.no),
    [1, 2],
  );
  await worker.waitUntilEmpty();
});

test('a cancelled delivery is recorded and never sent, in any state of its endpoint', async (t) => {
  const worker = await Worker.start(t, { retryPolicy: IN_AN_HOUR });
  // At this rate a second attempt would wait for 100 s.
  worker.endpoint('acme', 'ep_1', { rateLimit: { perSecond: 0.01, burst: 1 } });
  worker.receiver.otherwise({ status: 500 });
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(delivery.id, 'pending');
  await takeFromSchedule(worker, delivery.id, true);
  const records = await worker.recordsUntil(delivery.id, 'cancelled');
  assert.equal(records.at(-1)?.reason, 'requested');
  assert.ok((records.at(-1)?.hop as number) > (records[0]?.hop as number));
  await worker.waitUntilEmpty();
  assert.equal(worker.receiver.requests.length, 1);
});
