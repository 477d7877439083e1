import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { EventFetcher } from '#src/delivery/intake/event-fetcher.ts';
import { startNatsServer } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { encodeEventFrame } from '#wire/frames/event-frame.ts';
import { streams, subjects } from '#wire/subjects.ts';

const EVENTS = 40;

test('an event counts as gone only when the leader of its stream says so', async (t) => {
  const server = await startNatsServer();
  const nc = await connect({ servers: server.url });
  t.after(async () => {
    await nc.close();
    await server.dispose();
  });
  const js = jetstream(nc);
  const jsm = await jetstreamManager(nc);
  const name = streams.events(0);
  await jsm.streams.add({ name, subjects: ['ev.>'], allow_direct: true });
  // Answers direct gets of the stream like a replica that always lags.
  await jsm.streams.add({
    name: 'BEHIND',
    mirror: { name, opt_start_seq: EVENTS },
    allow_direct: true,
    mirror_direct: true,
  });
  const published = [];
  for (let i = 1; i <= EVENTS; i++) published.push(await js.publish(...frame(`e${i}`)));
  assert.equal(published.at(-1)?.seq, EVENTS);
  await waitUntil(async () => (await jsm.streams.info('BEHIND')).state.messages === 1);

  const fetcher = new EventFetcher({ jsm, shards: 1 });
  for (let seq = 1; seq <= EVENTS; seq++) {
    assert.equal((await fetcher.fetch('acme', seq, `e${seq}`))?.head.id, `e${seq}`);
  }
  await assert.rejects(fetcher.fetch('acme', EVENTS + 1, 'e41'), /EV-0 has no message 41 yet/);
  await jsm.streams.deleteMessage(name, 1);
  const fresh = new EventFetcher({ jsm, shards: 1 });
  assert.equal(await fresh.fetch('acme', 1, 'e1'), undefined);
  // After a restore, another event may have the sequence: it is not returned instead.
  assert.equal(await fresh.fetch('acme', 2, 'e1'), undefined);
  assert.equal(await fresh.fetch('other', 2, 'e2'), undefined);
  assert.equal((await fresh.fetch('acme', 2, 'e2'))?.head.id, 'e2');
  assert.equal(await fresh.fetch('other', 2, 'e2'), undefined);
});

function frame(id: string): [string, Uint8Array] {
  const data = Buffer.from('{}');
  const head = { id, type: 'a.b', source: '/s', time: '2026-01-01T00:00:00Z' };
  return [
    subjects.event('acme', 'a.b'),
    encodeEventFrame({ ...head, kind: 'json', acceptedMs: 0, correlationId: id }, data),
  ];
}
