import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type PollPolicy, pollDefaults } from '#domain/endpoint/endpoint-policy.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { decodeDeadLetterFrame } from '#wire/frames/dead-letter-frame.ts';
import { deliveryMessageId, encodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import type { LeaseResult, LeasedDelivery, PollAnswer, PollRequest } from '#wire/poll-request.ts';
import { subjects } from '#wire/subjects.ts';
import { Worker } from '../worker.ts';

interface Poller {
  worker: Worker;
  ask: (request: Partial<PollRequest> & { what: PollRequest['what'] }) => Promise<PollAnswer>;
  poll: (options?: {
    limit?: number;
    leaseMs?: number;
    waitMs?: number;
  }) => Promise<LeasedDelivery[]>;
  commit: (...leases: string[]) => Promise<LeaseResult[]>;
  publish: (count?: number) => Promise<string[]>;
}

async function start(t: TestContext, policy: Partial<PollPolicy> = {}): Promise<Poller> {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { poll: { ...pollDefaults, ...policy } });
  const ask: Poller['ask'] = async (request) => {
    const body = JSON.stringify({ tenant: 'acme', endpoint: 'ep_1', ...request });
    const answer = await worker.core.nc.request(subjects.pollRequests(0), body, {
      timeout: 20_000,
    });
    return answer.json<PollAnswer>();
  };
  return {
    worker,
    ask,
    async poll({ limit = 10, leaseMs = 60_000, waitMs = 0 } = {}) {
      const answer = await ask({ what: 'poll', limit, leaseMs, waitMs });
      assert.ok('deliveries' in answer, JSON.stringify(answer));
      return answer.deliveries;
    },
    async commit(...leases) {
      const answer = await ask({ what: 'commit', leases });
      assert.ok('results' in answer, JSON.stringify(answer));
      return answer.results;
    },
    async publish(count = 1) {
      const ids: string[] = [];
      for (let i = 0; i < count; i++) {
        const made = await worker.publishDelivery('acme', 'ep_1', { deliveryClass: 'p' });
        ids.push(made.delivery.id);
      }
      return ids;
    },
  };
}

const idsOf = (leased: LeasedDelivery[]): string[] => leased.map(({ delivery }) => delivery);

test('a poll leases deliveries in order, and a commit delivers them', async (t) => {
  const { worker, poll, commit, publish } = await start(t);
  const ids = await publish(3);
  const leased = await poll({ limit: 2 });
  assert.deepEqual(idsOf(leased), ids.slice(0, 2));
  const [first] = leased as [LeasedDelivery];
  assert.equal(first.attemptNo, 1);
  assert.match(first.body, /^\{"type":"order.created","timestamp":".*","data":\{"total": 1.0\}\}$/);
  assert.deepEqual(idsOf(await poll()), ids.slice(2), 'leased deliveries are not leased again');
  const results = await commit(...leased.map(({ lease }) => lease));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['done', 'done'],
  );
  const records = await worker.recordsUntil(first.delivery, 'delivered');
  assert.equal(records.at(-1)?.attempt?.no, 1);
  assert.equal(records.at(-1)?.attempt?.failure, undefined);
});

test('a repeated commit succeeds, and one of an unknown lease does not', async (t) => {
  const { poll, commit, publish, worker } = await start(t);
  await publish();
  const [one] = (await poll()) as [LeasedDelivery];
  for (let i = 0; i < 2; i++) assert.equal((await commit(one.lease))[0]?.status, 'done');
  const results = await commit(`${one.delivery}.7`, 'nonsense', 'dlv_x.1');
  assert.deepEqual(new Set(results.map(({ status }) => status)), new Set(['expired']));
  await worker.waitUntilEmpty();
});

test('a lease that expires is an attempt, and the delivery is leased again', async (t) => {
  const { worker, poll, commit, publish } = await start(t);
  const [id] = (await publish()) as [string];
  const [first] = (await poll({ leaseMs: 300 })) as [LeasedDelivery];
  const [second] = (await poll({ waitMs: 15_000 })) as [LeasedDelivery];
  assert.equal(second.delivery, id);
  assert.equal(second.attemptNo, 2);
  assert.equal((await commit(first.lease))[0]?.status, 'expired', 'the first lease has ended');
  assert.equal((await commit(second.lease))[0]?.status, 'done');
  const records = await worker.recordsUntil(id, 'delivered');
  const attempts = records.flatMap(({ attempt }) => attempt ?? []);
  assert.deepEqual(
    [...new Map(attempts.map(({ no, failure }) => [no, failure]))],
    [
      [1, 'lease_expired'],
      [2, undefined],
    ],
  );
});

test('a delivery becomes a dead letter after its last lease expired', async (t) => {
  const { worker, poll, publish } = await start(t, { leasesMax: 2 });
  const [id] = (await publish()) as [string];
  for (let no = 1; no <= 2; no++) {
    const [leased] = await poll({ leaseMs: 200, waitMs: 15_000 });
    assert.equal(leased?.attemptNo, no);
  }
  // No poller asks any more.
  await worker.recordsUntil(id, 'failed');
  const [letter] = await worker.deadLetters();
  assert.ok(letter);
  const { head } = decodeDeadLetterFrame(letter.data);
  assert.equal(head.reason, 'exhausted');
  assert.equal(head.lastAttempt?.failure, 'lease_expired');
  assert.equal(head.lastAttempt?.no, 2);
  await worker.waitUntilEmpty();
});

test('a delivery becomes a dead letter at its age when no poller asks for it', async (t) => {
  const { worker, publish } = await start(t, { maxAgeSeconds: 1 });
  const [id] = (await publish()) as [string];
  await worker.recordsUntil(id, 'failed');
  const [letter] = await worker.deadLetters();
  assert.ok(letter);
  assert.equal(decodeDeadLetterFrame(letter.data).head.reason, 'too_old');
  await worker.waitUntilEmpty();
});

test('an extended lease outlasts its first end', async (t) => {
  const { ask, poll, commit, publish } = await start(t);
  await publish();
  const [one] = (await poll({ leaseMs: 1500 })) as [LeasedDelivery];
  const answer = await ask({ what: 'extend', leases: [one.lease], leaseMs: 60_000 });
  assert.ok('results' in answer);
  assert.equal(answer.results[0]?.status, 'done');
  assert.ok((answer.results[0]?.untilMs ?? 0) > one.untilMs);
  assert.deepEqual(await poll({ waitMs: 3000 }), [], 'it is not leased again');
  assert.equal((await commit(one.lease))[0]?.status, 'done');
});

test('pollers share a queue, and none gets the delivery of another', async (t) => {
  const { poll, publish } = await start(t);
  const ids = await publish(40);
  const got = await Promise.all(Array.from({ length: 8 }, () => poll({ limit: 5 })));
  assert.deepEqual(got.flatMap(idsOf).toSorted(), ids.toSorted());
});

test('a poll that waits gets a delivery as soon as it is stored', async (t) => {
  const { poll, publish } = await start(t);
  const waiting = poll({ waitMs: 15_000 });
  const [id] = await publish();
  assert.deepEqual(idsOf(await waiting), [id]);
});

test('the next owner of the shard continues with the leases of the one before', async (t) => {
  const { worker, poll, commit, publish } = await start(t);
  const ids = await publish(3);
  const leased = await poll({ limit: 2 });
  const second = await worker.begin('worker-2');
  t.after(second);
  await worker.stopFirst();
  worker.stopFirst = () => Promise.resolve();
  await waitUntil(async () => {
    const found = await poll().catch(() => undefined);
    if (found === undefined) return false;
    assert.deepEqual(idsOf(found), ids.slice(2), 'leased deliveries stay leased');
    return true;
  });
  const results = await commit(...leased.map(({ lease }) => lease));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['done', 'done'],
  );
});

test('a crash after a lease was stored gives the delivery to one poller at a time', async (t) => {
  const { worker, poll, publish } = await start(t);
  const [id] = (await publish()) as [string];
  const [message] = await worker.storedMessages();
  assert.ok(message);
  // The worker died before it removed the delivery from the queue.
  const event = message.data.subarray(message.data.indexOf(10) + 1);
  const nowMs = Date.now();
  const lease = { id: 'att_1', no: 1, startedMs: nowMs, untilMs: nowMs + 1000 };
  const head = { id, endpoint: 'ep_1', attemptNo: 2, hop: 1, eventSeq: 0, lease };
  await worker.core.publisher.publishAsync({
    subject: subjects.waiting('acme', 'ep_1', id),
    payload: encodeDeliveryFrame(head, event),
    messageId: deliveryMessageId(id, 1),
    timeoutMs: 5000,
    schedule: { atMs: lease.untilMs, target: subjects.pollQueue('acme', 'ep_1', 'back') },
  });
  assert.deepEqual(await poll(), [], 'the copy in the queue is not leased');
  const [again] = await poll({ waitMs: 15_000 });
  assert.equal(again?.attemptNo, 2);
  assert.equal((await worker.storedMessages()).length, 1, 'one copy is left');
});

test('a poll is refused when the endpoint is not polled, not active, or unknown', async (t) => {
  const { worker, ask, publish } = await start(t);
  worker.endpoint('acme', 'ep_2');
  const request = { what: 'poll', limit: 1, waitMs: 0 } as const;
  assert.deepEqual(await ask({ ...request, endpoint: 'ep_2' }), { fault: 'not_polled' });
  assert.deepEqual(await ask({ ...request, endpoint: 'ep_3' }), { fault: 'unknown' });
  await publish();
  worker.endpoint('acme', 'ep_1', { state: 'paused' });
  assert.deepEqual(await ask(request), { fault: 'not_active' });
});

test('deliveries of a deleted endpoint are cancelled, leased ones when their lease ends', async (t) => {
  const { worker, poll, publish } = await start(t);
  const ids = await publish(2);
  await poll({ limit: 1, leaseMs: 500 });
  worker.tenant('acme', { endpoints: [] });
  for (const id of ids) {
    const records = await worker.recordsUntil(id, 'cancelled');
    assert.equal(records.at(-1)?.reason, 'endpoint_deleted');
  }
  await worker.waitUntilEmpty();
});

test('a delivery that was published for sending is moved to the queue', async (t) => {
  const { worker, poll } = await start(t);
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  assert.deepEqual(idsOf(await poll({ waitMs: 15_000 })), [delivery.id]);
  assert.equal(worker.receiver.requests.length, 0);
});
