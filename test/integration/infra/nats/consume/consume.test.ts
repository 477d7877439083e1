import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { consume } from '#infra/nats/consume/consume.ts';
import { startNatsCluster, startNatsServer, type TestServer } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const log = pino({ level: 'silent' });

test('a pull is repeated at the next leader when its server has stopped', async (t) => {
  const brokers = await startNatsCluster(3);
  t.after(async () => {
    // A stopped process does not end on SIGTERM.
    await Promise.all(brokers.map((broker) => broker.kill('SIGKILL')));
    await Promise.all(brokers.map((broker) => broker.dispose()));
  });
  const leader = await makeStream(brokers);
  const leading = brokers[leader] as TestServer;
  const other = brokers[(leader + 1) % brokers.length] as TestServer;
  const nc = await connect({ servers: other.url, ignoreClusterUpdates: true });
  t.after(() => nc.close());
  const js = jetstream(nc);
  const seen: string[] = [];
  const onMessage = (message: { string(): string }) => void seen.push(message.string());
  const messages = await consume({
    js,
    stream: 'S',
    consumer: 'c',
    ahead: 10,
    onMessage,
    onDeleted: () => {},
    onPullLost: () => {},
    log,
  });
  t.after(() => messages.stop());
  await waitUntil(() => js.publish('s.1', 'before'));
  await waitUntil(() => seen.includes('before'));

  await leading.kill('SIGSTOP');
  await waitUntil(async () => (await js.publish('s.1', 'after')).seq > 0, { deadlineMs: 60_000 });
  // By default the client notices after 30 s, and then waits another 30 s.
  await waitUntil(() => seen.includes('after'), { deadlineMs: 28_000 });
});

test('a consumer that has ended by itself ends its process', async (t) => {
  const server = await startNatsServer();
  t.after(() => server.dispose());
  const nc = await connect({ servers: server.url });
  t.after(() => nc.close());
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: 'S', subjects: ['s.*'] });
  await jsm.consumers.add('S', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
  await jetstream(nc).publish('s.1', 'one');
  const thread = new Worker(new URL('throwing-consumer.ts', import.meta.url), {
    workerData: { url: server.url },
  });
  t.after(() => thread.terminate());
  const [error] = (await once(thread, 'error', { signal: AbortSignal.timeout(30_000) })) as [Error];
  assert.equal(error.message, 'a bug');
});

/** Creates a stream on all brokers with a consumer. @returns which broker leads the consumer */
async function makeStream(brokers: TestServer[]): Promise<number> {
  const nc = await connect({ servers: brokers.map(({ url }) => url) });
  try {
    const jsm = await waitUntil(() => jetstreamManager(nc), { deadlineMs: 20_000 });
    await waitUntil(
      () => jsm.streams.add({ name: 'S', subjects: ['s.*'], num_replicas: brokers.length }),
      { what: 'the stream', deadlineMs: 20_000, intervalMs: 200 },
    );
    const consumer = { durable_name: 'c', ack_policy: AckPolicy.None };
    await waitUntil(() => jsm.consumers.add('S', consumer), { deadlineMs: 20_000 });
    const leader = await waitUntil(
      async () => (await jsm.consumers.info('S', 'c')).cluster?.leader,
    );
    return Number(leader.slice('broker-'.length));
  } finally {
    await nc.close();
  }
}
