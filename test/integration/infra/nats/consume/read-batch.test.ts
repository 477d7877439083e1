import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type NatsConnection, type Subscription, headers } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import { startNatsServer } from '#testkit/servers.ts';

async function start(t: TestContext): Promise<{ nc: NatsConnection; jsm: JetStreamManager }> {
  const server = await startNatsServer();
  const nc = await connect({ servers: server.url });
  t.after(async () => {
    await nc.close();
    await server.dispose();
  });
  return { nc, jsm: await jetstreamManager(nc) };
}

test('a complete answer leaves no subscription behind', async (t) => {
  const { nc, jsm } = await start(t);
  await jsm.streams.add({ name: 'S', subjects: ['s.*'], allow_direct: true });
  const js = jetstream(nc);
  for (const name of ['s.a', 's.b', 's.a']) await js.publish(name, name);
  const opened: Subscription[] = [];
  const subscribe = nc.subscribe.bind(nc);
  t.mock.method(nc, 'subscribe', (...given: Parameters<typeof subscribe>) => {
    const subscription = subscribe(...given);
    opened.push(subscription);
    return subscription;
  });

  const last = await readBatch(jsm, 'S', { multi_last: ['s.*'] });
  assert.deepEqual(
    last.map(({ seq }) => seq),
    [2, 3],
  );
  const all = await readBatch(jsm, 'S', { seq: 1, next_by_subj: 's.a', batch: 10 });
  assert.deepEqual(
    all.map(({ seq, subject }) => [seq, subject]),
    [
      [1, 's.a'],
      [3, 's.a'],
    ],
  );
  assert.deepEqual(await readBatch(jsm, 'S', { multi_last: ['s.none'] }), []);
  await assert.rejects(readBatch(jsm, 'S', { seq: 9, batch: 10 }), { code: 404 });
  assert.deepEqual(
    opened.map((subscription) => subscription.isClosed()),
    [true, true, true, true],
  );
});

test('a read fails in time when its answer breaks off', async (t) => {
  const { nc, jsm } = await start(t);
  // Like a server that stops after the first message of its answer.
  nc.subscribe('$JS.API.DIRECT.GET.HALF', {
    callback(_error, question) {
      const first = headers();
      first.set('Nats-Stream', 'HALF');
      first.set('Nats-Subject', 's.a');
      first.set('Nats-Sequence', '1');
      first.set('Nats-Num-Pending', '1');
      question.respond('one', { headers: first });
    },
  });
  await assert.rejects(
    readBatch(jsm, 'HALF', { multi_last: ['s.*'] }, 300),
    /did not complete its answer in time/,
  );
});
