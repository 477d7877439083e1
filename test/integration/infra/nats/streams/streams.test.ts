import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { loadSettings } from '#config/load.ts';
import { ConfigError } from '#domain/errors.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { ensureTopology } from '#infra/nats/streams/streams.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { startNatsServer } from '#testkit/servers.ts';

test('streams are created once, left unchanged by a repeat, and rejected for another number of shards', async (t) => {
  const server = await startNatsServer();
  const nc = await connectNats(server.url, 'test', createLog('silent'));
  t.after(async () => {
    await nc.close();
    await server.dispose();
  });
  const js = jetstream(nc);
  const jsm = await jetstreamManager(nc);
  const ensure = (shards: string): Promise<void> =>
    ensureTopology(js, jsm, loadSettings({ POSTHORN_SHARDS: shards }).streams);
  await ensure('2');
  await ensure('2');
  const names = await jsm.streams.names().next();
  for (const shards of ['1', '3', '4']) {
    await assert.rejects(
      ensure(shards),
      (error) => error instanceof ConfigError && error.message.includes('POSTHORN_SHARDS'),
    );
  }
  assert.deepEqual(await jsm.streams.names().next(), names);
});
