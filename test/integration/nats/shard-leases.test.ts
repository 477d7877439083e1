import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { ShardLeases } from '#infra/nats/leases/shard-leases.ts';
import { LEASE_MS } from '#infra/nats/streams/streams.ts';
import { renewInProcess } from '../../kit/renew-in-process.ts';
import { startNatsServer } from '../../kit/servers.ts';
import { waitUntil } from '../../kit/wait-until.ts';
import { buckets, leaseKeys } from '#wire/subjects.ts';

const silent = pino({ level: 'silent' });

/** A bucket that writes, and does not say so, as long as `isDeaf`; the first watch of it gets no answer. */
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
  onGiveUp: () => Promise<void> = async () => undefined,
  begun: () => Promise<void> | undefined = () => undefined,
): Promise<{
  leases: ShardLeases;
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
  const leases = new ShardLeases({
    kind: 'delivery',
    kv,
    renewer: renewInProcess(kv, silent),
    jsm: await jetstreamManager(nc),
    me: 'one',
    shards: 1,
    async onTaken(shard) {
      await begun();
      steps.push(`taken ${taken.push(shard)}`);
    },
    onGiveUp,
    onLost: (shard) => void steps.push(`lost ${lost.push(shard)}`),
    log: silent,
  });
  t.after(async () => {
    await leases.stop();
    await nc.close();
    await server.dispose();
  });
  const started = leases.start();
  if (begun() === undefined) await started;
  return { leases, bucket, writes, watches, lost, taken, steps };
}

test('a lease whose renewals are written is kept though every second answer is lost', async (t) => {
  const { leases, writes, lost, taken } = await startLeases(t, (count) => count % 2 === 0);
  // More seconds than a lease lasts.
  await waitUntil(() => writes() > 10, { deadlineMs: 30_000 });
  assert.deepEqual(lost, []);
  assert.deepEqual(taken, [0]);
  assert.ok(leases.owns(0));
});

test('a watch that is not answered keeps nobody from starting, and is asked for again', async (t) => {
  const { leases, watches } = await startLeases(t, () => false);
  assert.equal(leases.owned, 1);
  await waitUntil(() => watches() === 2);
});

test('a shard that was taken without an answer is taken at the next look', async (t) => {
  const { leases, writes } = await startLeases(t, (count) => count === 1);
  await waitUntil(() => leases.owns(0), { what: 'the shard owned' });
  // The second write: not a new key after the first one's time.
  assert.equal(writes(), 2);
});

test('who was paused longer than its lease lets go of a shard before it takes it again', async (t) => {
  const { leases, bucket, steps } = await startLeases(t, () => false);
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 2 * LEASE_MS);
  await bucket.purge(leaseKeys('delivery').shard(0));
  await waitUntil(() => steps.length > 2 && leases.owns(0), { deadlineMs: 60_000 });
  assert.deepEqual(steps, ['taken 1', 'lost 1', 'taken 2']);
});

test('a shard whose key was removed by hand is let go of before it is taken again', async (t) => {
  const { leases, bucket, steps } = await startLeases(t, () => false);
  await bucket.purge(leaseKeys('delivery').shard(0));
  await waitUntil(() => steps.length > 1 && leases.owns(0), { deadlineMs: 60_000 });
  assert.deepEqual(steps, ['taken 1', 'lost 1', 'taken 2']);
});

test('a lease that ended before it was renewed is begun anew, though nobody else took the shard', async (t) => {
  const { leases, steps } = await startLeases(t, () => false);
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + LEASE_MS);
  await waitUntil(() => steps.length > 2 && leases.owns(0), { deadlineMs: 60_000 });
  assert.deepEqual(steps, ['taken 1', 'lost 1', 'taken 2']);
});

test('while it stops a worker keeps what it has not finished', async (t) => {
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

test('leases are renewed while a shard takes long to begin', async (t) => {
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

test('a lease that ends while its shard takes long to begin is lost at once, and taken anew after that', async (t) => {
  const begun = Promise.withResolvers<void>();
  t.after(() => begun.resolve());
  const { leases, lost, steps } = await startLeases(
    t,
    () => false,
    undefined,
    () => begun.promise,
  );
  await waitUntil(() => leases.owned === 1);
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 2 * LEASE_MS);
  await waitUntil(() => lost.length > 0, { what: 'the shard lost' });
  begun.resolve();
  await waitUntil(() => steps.length > 2 && leases.owns(0), { deadlineMs: 60_000 });
  assert.deepEqual(steps, ['lost 1', 'taken 1', 'taken 2']);
});

test('a shard that could not be begun is given up once, and not where it was lost before', async (t) => {
  const begun = Promise.withResolvers<void>();
  const given: number[] = [];
  const { leases, lost } = await startLeases(
    t,
    () => false,
    async () => void given.push(lost.length),
    () => begun.promise,
  );
  await waitUntil(() => leases.owned === 1);
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 2 * LEASE_MS);
  await waitUntil(() => lost.length > 0, { what: 'the shard lost' });
  begun.reject(new Error('NATS did not answer'));
  // What is taken after that cannot be begun either: it is given up, and tried at the next look.
  await waitUntil(() => given.length > 1, { deadlineMs: 60_000 });
  assert.equal(given[0], 1);
  assert.equal(lost.length, 1);
});

test('a stop that comes while a first shard is begun waits for it, and then gives it up', async (t) => {
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
  // Renewed meanwhile, and not given up.
  await waitUntil(() => writes() > before + 2, { deadlineMs: 30_000 });
  begun.resolve();
  await stopped;
  assert.deepEqual(order, ['taken 1', 'given up']);
  assert.equal(leases.owned, 0);
});
