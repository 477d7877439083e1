/** The shares of rate limits, kept in step over a real nats-server (IN-8). */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { systemClock } from '#infra/system-clock.ts';
import { type RateDoor, RateShareStore } from '#infra/nats/stores/rate-share-store.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { buckets } from '#wire/subjects.ts';
import { type NatsCore, log, startNatsCore } from '../../../nats-core.ts';

async function startStore(
  t: TestContext,
  core: NatsCore,
  me: string,
  doors: RateDoor[] = ['events', 'api'],
): Promise<RateShareStore> {
  const store = new RateShareStore({
    nc: await core.connect(),
    me,
    doors,
    clock: systemClock,
    log,
  });
  t.after(() => store.stop());
  await store.start();
  return store;
}

test('processes know each other and their demands, and a stopped one is forgotten', async (t) => {
  const core = await startNatsCore(t);
  const a = await startStore(t, core, 'a');
  assert.deepEqual(a.demandsOf('key.k'), { processes: 1, own: undefined, others: undefined });
  assert.equal(a.joinedMs, undefined);
  const b = await startStore(t, core, 'b');
  assert.notEqual(b.joinedMs, undefined);
  assert.equal(b.demandsOf('key.k').processes, 2);
  await waitUntil(() => a.demandsOf('key.k').processes === 2);
  b.announce([['key.k', 7]]);
  await waitUntil(() => a.demandsOf('key.k').others === 7);
  assert.equal(b.demandsOf('key.k').own, 7);
  await b.stop();
  await waitUntil(() => a.demandsOf('key.k').processes === 1);
});

test('a limit is shared by the processes that serve its door', async (t) => {
  const core = await startNatsCore(t);
  const ingress = await startStore(t, core, 'ingress', ['events']);
  await startStore(t, core, 'control', ['api']);
  await waitUntil(() => ingress.demandsOf('key.k').processes === 2);
  assert.equal(ingress.demandsOf('events.acme').processes, 1);
});

test('a process that stopped writing is forgotten while others write, and kept while none do', async (t) => {
  const core = await startNatsCore(t);
  const a = await startStore(t, core, 'a');
  const kv = await new Kvm(core.js).open(buckets.rates);
  await kv.put('dead', JSON.stringify({ v: 1, doors: ['events'], demands: { 'key.k': 5 } }));
  await waitUntil(() => a.demandsOf('key.k').others === 5);
  await core.killServer();
  a.announce([]);
  assert.equal(a.demandsOf('key.k').others, 5);
  await core.restartServer();
  await waitUntil(
    () => {
      a.announce([]);
      return a.demandsOf('key.k').processes === 1;
    },
    { deadlineMs: 30_000, intervalMs: 250 },
  );
});
