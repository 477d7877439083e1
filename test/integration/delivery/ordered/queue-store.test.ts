/** The queues of ordered endpoints on a real nats-server: each operation may be repeated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { NatsQueueStore } from '#src/delivery/ordered/queue-store.ts';
import { buckets, streams, subjects } from '#wire/subjects.ts';
import { startNatsCore } from '../../nats-core.ts';

test('a missing message counts as removed at any position of its stream', async (t) => {
  const { js, jsm } = await startNatsCore(t);
  const ordered = await new Kvm(js).open(buckets.ordered);
  const store = new NatsQueueStore({ jsm, ordered, shards: 1 });
  const subject = subjects.ordered('acme', 'ep_1');
  for (let i = 0; i < 5; i++) await js.publish(subject, `${i}`);
  // The first, a middle one, the last, and one that never existed.
  for (const seq of [1, 3, 5, 3, 1, 5, 9]) await store.remove('acme', seq);
  assert.equal((await jsm.streams.info(streams.deliveries(0))).state.messages, 2);
});
