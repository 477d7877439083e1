import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { loadSettings } from '#config/load.ts';
import { ConfigError } from '#domain/errors.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { ensureMirrors, mirroredStreams, promoteMirrors } from '#infra/nats/streams/mirrors.ts';
import { ensureTopology } from '#infra/nats/streams/streams.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { startNatsCluster, startNatsServer } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const FROM = new Date('2026-01-31T12:00:00.000Z');

/** Brokers of a recovery region, whose mirrors have no origin that they can reach. */
async function recoveryBrokers(
  t: TestContext,
  members: number,
): Promise<{ js: JetStreamClient; jsm: JetStreamManager }> {
  const servers = members === 1 ? [await startNatsServer()] : await startNatsCluster(members);
  const nc = await connectNats(servers[0]?.url as string, 'test', createLog('silent'));
  t.after(async () => {
    await nc.close();
    await Promise.all(servers.map((server) => server.dispose()));
  });
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  await waitUntil(
    () =>
      jsm.getAccountInfo().then(
        () => true,
        () => false,
      ),
    { what: 'JetStream', deadlineMs: 60_000 },
  );
  return { js: jetstream(nc), jsm };
}

/** Fails the update of one stream, as a crash before it does. */
function failingAt(jsm: JetStreamManager, stream: string): JetStreamManager {
  const update: JetStreamManager['streams']['update'] = (name, config) =>
    name === stream ? Promise.reject(new Error('crashed')) : jsm.streams.update(name, config);
  const failing = new Proxy(jsm.streams, {
    get: (target, key) => {
      if (key === 'update') return update;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return new Proxy(jsm, {
    get: (target, key) => (key === 'streams' ? failing : (Reflect.get(target, key) as unknown)),
  });
}

for (const members of [1, 3]) {
  test(`a promotion on ${members} broker(s) is refused to every process until it is complete, and repeated after a crash`, async (t) => {
    const { js, jsm } = await recoveryBrokers(t, members);
    const settings = loadSettings({
      POSTHORN_SHARDS: '2',
      POSTHORN_STREAM_REPLICAS: String(members),
    }).streams;
    const refuses = async (work: Promise<void>, pattern: RegExp): Promise<void> => {
      await assert.rejects(
        work,
        (error) => error instanceof ConfigError && pattern.test(error.message),
      );
    };
    await refuses(promoteMirrors(jsm, settings, FROM), /EV-0 is not a mirror/);
    await ensureMirrors(jsm, settings, 'primary');
    await ensureMirrors(jsm, { ...settings, eventRetentionSeconds: 500_000 }, 'primary');
    for (const stream of mirroredStreams(2)) {
      await refuses(ensureTopology(js, jsm, settings), /EV-0 there is a mirror/);
      await assert.rejects(promoteMirrors(failingAt(jsm, stream), settings, FROM), /crashed/);
    }
    const later = new Date(FROM.getTime() + 1000);
    await refuses(
      promoteMirrors(jsm, settings, later),
      /--from: .* starts at 2026-01-31T12:00:00Z/,
    );
    await promoteMirrors(jsm, settings, FROM);
    await ensureTopology(js, jsm, settings);
    await refuses(promoteMirrors(jsm, settings, FROM), /EV-0 is not a mirror/);
    await refuses(ensureMirrors(jsm, settings, 'primary'), /is not a mirror/);

    for (const stream of mirroredStreams(2)) {
      const { config } = await jsm.streams.info(stream);
      assert.equal(config.mirror, undefined, stream);
      assert.equal(config.discard, 'new', stream);
    }
    for (const [stream, consumer] of [
      ['EV-1', 'router'],
      ['EV-0', 'projector'],
      ['ATT-1', 'projector'],
      ['DLQ', 'projector'],
    ] as const) {
      const { config } = await jsm.consumers.info(stream, consumer);
      assert.equal(config.opt_start_time, '2026-01-31T12:00:00Z', stream);
    }
    assert.equal((await js.publish('ev.0.acme.a', '{}')).stream, 'EV-0');
  });
}
