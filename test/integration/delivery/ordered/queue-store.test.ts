/** The queues of ordered endpoints on a real nats-server: what was done counts as done, however often it is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { NatsQueueStore } from '#src/delivery/ordered/queue-store.ts';
import { buckets, streams, subjects } from '#wire/subjects.ts';
import { startNatsCore } from '../../publisher/nats-core.ts';

test('a message that is gone counts as removed, wherever in its stream it stood', async (t) => {
  const { js, jsm } = await startNatsCore(t);
  const ordered = await new Kvm(js).open(buckets.ordered);
  const store = new NatsQueueStore({ jsm, ordered, shards: 1 });
  const subject = subjects.ordered('acme', 'ep_1');
  for (let i = 0; i < 5; i++) await js.publish(subject, `${i}`);
  // The first, one between others, the last; and one that was never there.
  for (const seq of [1, 3, 5, 3, 1, 5, 9]) await store.remove('acme', seq);
  assert.equal((await jsm.streams.info(streams.deliveries(0))).state.messages, 2);
});
