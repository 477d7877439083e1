import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AckPolicy,
  type JsMsg,
  RetentionPolicy,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';
import { systemClock } from '#infra/system-clock.ts';
import { AckFence } from '#infra/nats/consume/ack-fence.ts';
import { startNatsCluster } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const MESSAGES = 1000;
/** For a thousand concurrent publications to three servers. */
const TIMEOUT_MS = 30_000;

test('a consumer reset does not redeliver messages that were acked before the fence', async (t) => {
  const brokers = await startNatsCluster(3);
  const servers = brokers.map(({ url }) => url);
  // The old and the new owner of the shard are connected to different brokers.
  const [one, other] = [
    await connect({ servers: servers[0] as string }),
    await connect({ servers: servers[2] as string }),
  ];
  t.after(async () => {
    await Promise.all([one.close(), other.close()]);
    await Promise.all(brokers.map((broker) => broker.dispose()));
  });
  // Without a leader there is no answer: the request is repeated after the client's 5 s.
  const jsm = await jetstreamManager(one, { checkAPI: false });
  const work = { name: 'W', subjects: ['w'], retention: RetentionPolicy.Workqueue };
  const made = { deadlineMs: 30_000, intervalMs: 100 };
  await waitUntil(() => jsm.streams.add({ ...work, num_replicas: 3 }), made);
  const consumer = {
    durable_name: 'c',
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(60_000),
    max_ack_pending: 2 * MESSAGES,
  };
  await waitUntil(() => jsm.consumers.add('W', consumer), made);

  const js = jetstream(one, { timeout: TIMEOUT_MS });
  await Promise.all(Array.from({ length: MESSAGES }, () => js.publish('w')));
  const fence = new AckFence({ clock: systemClock, jsm });
  const received: JsMsg[] = [];
  const reader = await (
    await js.consumers.get('W', 'c')
  ).consume({
    max_messages: MESSAGES,
    callback: (message) => void received.push(message),
  });
  await waitUntil(() => received.length === MESSAGES, { deadlineMs: 30_000 });
  reader.stop();
  // The first stays unacked: the reset begins there.
  for (const message of received.slice(1)) fence.watch(message).ack();
  await fence.pass('W');

  const taker = await jetstreamManager(other, { checkAPI: false, timeout: TIMEOUT_MS });
  await taker.consumers.reset('W', 'c');
  const given: number[] = [];
  const again = await (
    await jetstream(other).consumers.get('W', 'c')
  ).consume({
    callback(message) {
      given.push(message.seq);
      message.ack();
    },
  });
  await waitUntil(async () => (await jsm.streams.info('W')).state.messages === 0, made);
  again.stop();
  assert.deepEqual(given, [received[0]?.seq]);
});
