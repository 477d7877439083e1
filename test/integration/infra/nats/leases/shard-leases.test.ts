import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { ShiftedClock } from '#testkit/test-clock.ts';
import { ShardLeases } from '#infra/nats/leases/shard-leases.ts';
import { LEASE_MS } from '#infra/nats/streams/streams.ts';
import { renewInProcess } from '../../../../kit/processes/renew-in-process.ts';
import { startNatsServer } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { buckets, leaseKeys } from '#wire/subjects.ts';

const silent = pino({ level: 'silent' });

/** A bucket that writes without answering while `isDeaf`; the first watch of it gets no answer. */
function deafBucket(
  kv: KV,
  isDeaf: () => boolean,
): { kv: KV; writes: () => number; watches: () => number } {
  let [writes, watches] = [0, 0];
  const deaf = new Proxy(kv, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name === 'watch' && ++watches === 1) {
        return () => Promise.reject(new Error('timeout'));
      }
      if (name !== 'update' && name !== 'create') return value.bind(target);
      return async (...given: unknown[]) => {
        const revision: unknown = await value.apply(target, given);
        writes++;
        if (isDeaf()) throw new Error('timeout');
        return revision;
      };
    },
  });
  return { kv: deaf, writes: () => writes, watches: () => watches };
}

async function startLeases(
  t: { after(work: () => Promise<void>): void },
  isDeaf: (writes: number) => boolean,
  onRelease: () => Promise<void> = async () => undefined,
  begun: () => Promise<void> | undefined = () => undefined,
): Promise<{
  leases: ShardLeases;
  clock: ShiftedClock;
  bucket: KV;
  writes: () => number;
  watches: () => number;
  lost: number[];
  taken: number[];
  steps: string[];
}> {
  const server = await startNatsServer();
  const nc = await connect({ servers: server.url });
  const js = jetstream(nc);
  const bucket = await new Kvm(js).create(buckets.leases, { history: 1, ttl: LEASE_MS });
  const { kv, writes, watches } = deafBucket(bucket, () => isDeaf(writes()));
  const [lost, taken]: [number[], number[]] = [[], []];
  const steps: string[] = [];
  const clock = new ShiftedClock();
  const leases = new ShardLeases({
    clock,
    kind: 'delivery',
    kv,
    renewer: renewInProcess(kv, clock, silent),
    jsm: await jetstreamManager(nc),
    me: 'one',
    shards: 1,
    log: silent,
  });
  t.after(async () => {
    await leases.stop();
    await nc.close();
    await server.dispose();
  });
  const started = leases.start({
    async onAcquired(shard) {
      await begun();
      steps.push(`taken ${taken.push(shard)}`);
    },
    onRelease,
    onExpired: (shard) => void steps.push(`lost ${lost.push(shard)}`),
  });
  if (begun() === undefined) await started;
  return { leases, clock, bucket, writes, watches, lost, taken, steps };
}

test('a lease is kept when its renewals are written and every second answer is lost', async (t) => {
  const { leases, writes, lost, taken } = await startLeases(t, (count) => count % 2 === 0);
  // More seconds than a lease lasts.
  await waitUntil(() => writes() > 10, { deadlineMs: 30_000 });
  assert.deepEqual(lost, []);
  assert.deepEqual(taken, [0]);
  assert.ok(leases.owns(0));
});

test('an unanswered watch delays no start, and is repeated', async (t) => {
  const { leases, watches } = await startLeases(t, () => false);
  assert.equal(leases.owned, 1);
  await waitUntil(() => watches() === 2);
});

test('a shard that was acquired without an answer is acquired at the next reconciliation', async (t) => {
  const { leases, writes } = await startLeases(t, (count) => count === 1);
  await waitUntil(() => leases.owns(0), { what: 'the shard owned' });
  // The second write: not a new key after the first one's time.
  assert.equal(writes(), 2);
});

test('a worker that was paused longer than its lease drops a shard before it acquires it again', async (t) => {
  const { leases, clock, bucket, steps } = await startLeases(t, () => false);
  clock.advance(2 * LEASE_MS);
  await bucket.purge(leaseKeys('delivery').shard(0));
  await waitUntil(() => steps.length > 2 && leases.owns(0), { deadlineMs: 60_000 });
  assert.deepEqual(steps, ['taken 1', 'lost 1', 'taken 2']);
});

test('a shard whose key was removed by hand is dropped before it is acquired again', async (t) => {
  const { leases, bucket, steps } = await startLeases(t, () => false);
  await bucket.purge(leaseKeys('delivery').shard(0));
  await waitUntil(() => steps.length > 1 && leases.owns(0), { deadlineMs: 60_000 });
  assert.deepEqual(steps, ['taken 1', 'lost 1', 'taken 2']);
});

test('an expired lease is acquired again, even when no other worker took the shard', async (t) => {
  const { leases, clock, steps } = await startLeases(t, () => false);
  clock.advance(LEASE_MS);
  await waitUntil(() => steps.length > 2 && leases.owns(0), { deadlineMs: 60_000 });
  assert.deepEqual(steps, ['taken 1', 'lost 1', 'taken 2']);
});

test('a stopping worker keeps its leases until its work has ended', async (t) => {
  const finished = Promise.withResolvers<void>();
  const { leases, bucket, writes } = await startLeases(
    t,
    () => false,
    () => finished.promise,
  );
  const before = writes();
  const stopped = leases.stop();
  // More seconds than a lease lasts.
  await waitUntil(() => writes() > before + LEASE_MS / 1000 + 1, { deadlineMs: 60_000 });
  assert.ok(leases.owns(0));
  finished.resolve();
  await stopped;
  assert.notEqual((await bucket.get(leaseKeys('delivery').shard(0)))?.operation, 'PUT');
});

test('leases are renewed while a shard takes long to start', async (t) => {
  const begun = Promise.withResolvers<void>();
  t.after(() => begun.resolve());
  const { writes } = await startLeases(
    t,
    () => false,
    undefined,
    () => begun.promise,
  );
  await waitUntil(() => writes() > LEASE_MS / 1000 + 2, { deadlineMs: 60_000 });
});

test('a lease that expires while its shard starts is lost immediately, and acquired again afterwards', async (t) => {
  const begun = Promise.withResolvers<void>();
  t.after(() => begun.resolve());
  const { leases, clock, lost, steps } = await startLeases(
    t,
    () => false,
    undefined,
    () => begun.promise,
  );
  await waitUntil(() => leases.owned === 1);
  clock.advance(2 * LEASE_MS);
  await waitUntil(() => lost.length > 0, { what: 'the shard lost' });
  begun.resolve();
  await waitUntil(() => steps.length > 2 && leases.owns(0), { deadlineMs: 60_000 });
  assert.deepEqual(steps, ['lost 1', 'taken 1', 'taken 2']);
});

test('a shard that failed to start is released once, unless its lease expired before', async (t) => {
  const begun = Promise.withResolvers<void>();
  const given: number[] = [];
  const { leases, clock, lost } = await startLeases(
    t,
    () => false,
    async () => void given.push(lost.length),
    () => begun.promise,
  );
  await waitUntil(() => leases.owned === 1);
  clock.advance(2 * LEASE_MS);
  await waitUntil(() => lost.length > 0, { what: 'the shard lost' });
  begun.reject(new Error('NATS did not answer'));
  // The next shard fails to start too: it is released, and tried again at the next reconciliation.
  await waitUntil(() => given.length > 1, { deadlineMs: 60_000 });
  assert.equal(given[0], 1);
  assert.equal(lost.length, 1);
});

test('a stop during the start of the first shard waits for it, and then releases it', async (t) => {
  const begun = Promise.withResolvers<void>();
  const order: string[] = [];
  const { leases, writes, steps } = await startLeases(
    t,
    () => false,
    async () => void order.push(...steps, 'given up'),
    () => begun.promise,
  );
  await waitUntil(() => leases.owned === 1);
  const before = writes();
  const stopped = leases.stop();
  // Renewed, and not released.
  await waitUntil(() => writes() > before + 2, { deadlineMs: 30_000 });
  begun.resolve();
  await stopped;
  assert.deepEqual(order, ['taken 1', 'given up']);
  assert.equal(leases.owned, 0);
});
