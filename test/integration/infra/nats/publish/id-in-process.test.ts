import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { systemClock } from '#infra/system-clock.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { startNatsCluster } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';

test('a message whose id is still in process is not refused, and is stored once', async (t) => {
  const brokers = await startNatsCluster(3);
  t.after(async () => {
    // A stopped process does not end on SIGTERM.
    await Promise.all(brokers.map((broker) => broker.kill('SIGKILL')));
    await Promise.all(brokers.map((broker) => broker.dispose()));
  });
  const admin = await connect({ servers: brokers.map(({ url }) => url) });
  t.after(() => admin.close());
  const jsm = await waitUntil(() => jetstreamManager(admin), { deadlineMs: 20_000 });
  const config = { name: 'S', subjects: ['s.*'], num_replicas: brokers.length };
  await waitUntil(() => jsm.streams.add(config), { deadlineMs: 20_000, intervalMs: 200 });
  const leader = await waitUntil(async () => (await jsm.streams.info('S')).cluster?.leader);
  const leading = Number(leader.slice('broker-'.length));
  const nc = await connect({ servers: brokers[leading]?.url ?? '', ignoreClusterUpdates: true });
  t.after(() => nc.close());
  const publisher = new Publisher({
    clock: systemClock,
    nc,
    window: 8,
    log: pino({ level: 'silent' }),
  });
  t.after(() => publisher.close());
  let sent = 0;
  nc.subscribe('s.1', { callback: () => void sent++ });
  await nc.flush();

  // The leader has no majority: it can neither store the message nor forget its id.
  const followers = brokers.filter((_broker, i) => i !== leading);
  for (const follower of followers) await follower.kill('SIGSTOP');
  const publication = { subject: 's.1', payload: Buffer.from('x'), messageId: 'one' };
  const stored = publisher.publishAsync({ ...publication, timeoutMs: 60_000 });
  const again = waitUntil(() => sent >= 3, { what: 'it is sent again', deadlineMs: 30_000 });
  await Promise.race([stored, again]);
  for (const follower of followers) await follower.kill('SIGCONT');
  await stored;
  const messages = async () => (await jsm.streams.info('S')).state.messages;
  assert.equal(await waitUntil(messages, { deadlineMs: 20_000, intervalMs: 200 }), 1);
});
