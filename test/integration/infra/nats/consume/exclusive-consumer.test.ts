/** Messages that a consumer gave to a dead reader are redelivered soon, not after its ack_wait. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  AckPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/nats-core';
import { ShiftedClock } from '#testkit/test-clock.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { ExclusiveConsumer } from '#infra/nats/consume/exclusive-consumer.ts';
import { startNatsServer } from '#testkit/servers.ts';
import { type TcpRelay, startTcpRelay } from '../../../../kit/network/tcp-relay.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { log } from '../../../nats-core.ts';

/** Far longer than any wait of these tests. */
const ACK_WAIT_MS = 600_000;

interface Setup {
  clock: ShiftedClock;
  js: JetStreamClient;
  jsm: JetStreamManager;
  relay: TcpRelay;
  /** Connects through the relay. */
  open: (options?: { inOrder?: boolean; owns?: () => boolean }) => Promise<string[]>;
  /** As of a stopped reader: its messages are neither acked nor read. */
  leavePullOpen: () => void;
}

async function setup(t: TestContext): Promise<Setup> {
  const server = await startNatsServer();
  const relay = await startTcpRelay(Number(new URL(server.url).port));
  const nc = await connectNats(server.url, 'by the side', log);
  const relayed = await connectNats(`nats://127.0.0.1:${relay.port}`, 'reader', log);
  const readers: ExclusiveConsumer[] = [];
  t.after(async () => {
    for (const reader of readers) reader.stop();
    await Promise.all([nc.close(), relayed.close()]);
    await relay.close();
    await server.dispose();
  });
  const js = jetstream(nc);
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: 'S', subjects: ['s.>'] });
  await jsm.consumers.add('S', {
    durable_name: 'c',
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ACK_WAIT_MS),
  });
  const clock = new ShiftedClock();
  const open: Setup['open'] = async ({ inOrder = false, owns = () => true } = {}) => {
    const seen: string[] = [];
    const reader = new ExclusiveConsumer({
      clock,
      ...(await clientsOf(relayed)),
      stream: 'S',
      consumer: 'c',
      ahead: 10,
      inOrder,
      owns,
      onMessage: (message: JsMsg) => void seen.push(message.string()),
      onDeleted: () => {},
      log,
    });
    readers.push(reader);
    await reader.open();
    return seen;
  };
  const leavePullOpen = (): void => {
    nc.subscribe('nobody.looks', { callback: () => undefined });
    const request = JSON.stringify({ batch: 1, expires: nanos(60_000) });
    nc.publish('$JS.API.CONSUMER.MSG.NEXT.S.c', request, { reply: 'nobody.looks' });
  };
  return { clock, js, jsm, relay, open, leavePullOpen };
}

async function clientsOf(
  nc: NatsConnection,
): Promise<{ nc: NatsConnection; js: JetStreamClient; jsm: JetStreamManager }> {
  return { nc, js: jetstream(nc), jsm: await jetstreamManager(nc, { checkAPI: false }) };
}

async function pullsAre(jsm: JetStreamManager, count: number): Promise<void> {
  await waitUntil(async () => (await jsm.consumers.info('S', 'c')).num_waiting === count);
}

test('the reader requests the last message after a reconnect when no other message follows', async (t) => {
  const { clock, js, jsm, relay, open } = await setup(t);
  const seen = await open();
  await js.publish('s.1', 'one');
  await waitUntil(() => seen.length === 1);
  // So long after the start that the reader does not poll the consumer any more.
  clock.advance(60_000);
  relay.swallow();
  await js.publish('s.1', 'two');
  await waitUntil(async () => (await jsm.consumers.info('S', 'c')).delivered.consumer_seq === 2);
  relay.breakAll();
  await waitUntil(() => seen.includes('two'));
  // The first is unacked and in flight, so it is redelivered.
  assert.deepEqual(seen, ['one', 'one', 'two']);
});

test('all unacked messages are redelivered after a new connection, as a nak may be lost with the old one', async (t) => {
  const { js, relay, open } = await setup(t);
  const seen = await open();
  await js.publish('s.1', 'one');
  await waitUntil(() => seen.length === 1);
  relay.breakAll();
  await waitUntil(() => seen.length === 2);
  assert.deepEqual(seen, ['one', 'one']);
});

test('messages in the open pull of a stopped reader are redelivered, even when no other follows', async (t) => {
  const { js, jsm, open, leavePullOpen } = await setup(t);
  leavePullOpen();
  await pullsAre(jsm, 1);
  const seen = await open();
  await js.publish('s.1', 'one');
  await waitUntil(() => seen.length === 1);
  assert.deepEqual(seen, ['one']);
});

for (const inOrder of [true, false]) {
  test(`messages behind a gap are ${inOrder ? 'dropped and redelivered in order' : 'delivered immediately'}`, async (t) => {
    const { js, jsm, open, leavePullOpen } = await setup(t);
    leavePullOpen();
    await pullsAre(jsm, 1);
    const seen = await open({ inOrder });
    for (const each of ['one', 'two', 'three']) await js.publish('s.1', each);
    await waitUntil(() => seen.includes('one'));
    await waitUntil(() => seen.at(-1) === 'three');
    const ordered = seen.slice(seen.indexOf('one'));
    assert.deepEqual(ordered, ['one', 'two', 'three']);
    assert.equal(seen.indexOf('one') === 0, inOrder, seen.join());
  });
}

test('a reader without ownership leaves the consumer unchanged', async (t) => {
  const { js, jsm, open, leavePullOpen } = await setup(t);
  leavePullOpen();
  await pullsAre(jsm, 1);
  const seen = await open({ owns: () => false });
  for (const each of ['one', 'two', 'three']) await js.publish('s.1', each);
  await waitUntil(() => seen.at(-1) === 'three');
  assert.deepEqual(seen, ['two', 'three']);
  assert.equal((await jsm.consumers.info('S', 'c')).delivered.consumer_seq, 3);
});
