/**
 * `posthorn migrate` as run by a roll-out: a program that ends, with the result as its exit code.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import { ensureIndexes } from '#infra/mongo/ensure-indexes.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { startNatsServer, testMongo } from '#testkit/servers.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

interface Ended {
  code: number;
  stderr: string;
}

function migrate(env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env['PATH'] ?? '', ...env } };
    execFile(process.execPath, [MAIN, 'migrate'], options, (error, _stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stderr });
    });
  });
}

test('migrate creates streams and indexes, and succeeds again when they exist', async (t) => {
  const nats = await startNatsServer();
  t.after(() => nats.dispose());
  const mongo = await testMongo();
  t.after(() => mongo.dispose());
  const env = {
    POSTHORN_NATS_URL: nats.url,
    POSTHORN_MONGODB_URL: mongo.url,
    POSTHORN_MONGODB_DATABASE: mongo.db.databaseName,
    POSTHORN_SHARDS: '2',
  };
  for (const _time of ['first', 'second']) {
    const { code, stderr } = await migrate(env);
    assert.equal(code, 0, stderr);
  }
  const nc = await connectNats(nats.url, 'test', createLog('silent'));
  t.after(() => nc.close());
  const names = await (await jetstreamManager(nc)).streams.names().next();
  for (const name of ['EV-0', 'EV-1', 'DLV-1', 'ATT-1', 'DLQ', 'KV_CONFIG', 'KV_LEASES']) {
    assert.ok(names.includes(name), `${name} in ${names.join()}`);
  }

  const indexes = async () => {
    const collections = await mongo.db.listCollections().toArray();
    const lists = collections.map(async ({ name }) => ({
      name,
      keys: (await mongo.db.collection(name).indexes()).map(({ key }) => key),
    }));
    return (await Promise.all(lists)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  };
  const made = await indexes();
  assert.ok(made.some(({ name, keys }) => name === 'deliveries' && keys.length > 3));
  // A process of the new version finds all that it would create at its start.
  await ensureIndexes(mongo.db, 30 * 24 * 3600);
  assert.deepEqual(await indexes(), made);

  const other = await migrate({ ...env, POSTHORN_SHARDS: '3' });
  assert.equal(other.code, 78, other.stderr);
  assert.match(other.stderr, /POSTHORN_SHARDS/);
});

test('rejects two missing settings with the names of both', async () => {
  const { code, stderr } = await migrate({});
  assert.equal(code, 78);
  assert.match(stderr, /POSTHORN_NATS_URL: is required for migrate/);
  assert.match(stderr, /POSTHORN_MONGODB_URL: is required for migrate/);
});
