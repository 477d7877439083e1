/** The queues of ordered endpoints on a real nats-server: what was done counts as done, however often it is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { NatsQueueStore } from '#src/delivery/ordered/queue-store.ts';
import { startNatsServer } from '#testkit/servers.ts';
import { buckets, streams, subjects } from '#wire/subjects.ts';

test('a message that is gone counts as removed, wherever in its stream it stood', async (t) => {
  const server = await startNatsServer();
  const nc = await connect({ servers: server.url });
  t.after(async () => {
    await nc.close();
    await server.dispose();
  });
  const js = jetstream(nc);
  const jsm = await jetstreamManager(nc);
  const name = streams.deliveries(0);
  await jsm.streams.add({ name, subjects: ['dlv.>'] });
  const ordered = await new Kvm(js).create(buckets.ordered);
  const store = new NatsQueueStore({ jsm, ordered, shards: 1 });
  const subject = subjects.ordered('acme', 'ep_1');
  for (let i = 0; i < 5; i++) await js.publish(subject, `${i}`);
  // The first, one between others, the last; and one that was never there.
  for (const seq of [1, 3, 5, 3, 1, 5, 9]) await store.remove('acme', seq);
  assert.equal((await jsm.streams.info(name)).state.messages, 2);
});
