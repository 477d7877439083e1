import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { watchMongo } from '#infra/mongo/client-metrics.ts';
import { createMongoClient } from '#infra/mongo/documents.ts';
import { systemClock } from '#infra/system-clock.ts';
import { startMongod, startMongodSet, testMongo } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { metricValue } from '../../metric-value.ts';

const DEADLINE = { deadlineMs: 60_000, intervalMs: 50 };

function watchedClient(t: TestContext, url: string) {
  const registry = new Registry();
  const client = createMongoClient(url, 'test');
  watchMongo(client, { registry, clock: systemClock });
  t.after(() => client.close());
  const metric = (name: string, labels?: Record<string, string>): Promise<number> =>
    metricValue(registry, `posthorn_mongodb_${name}`, labels);
  return { client, metric, registry };
}

test('members of a set are counted by kind, with the lag of the slowest secondary', async (t) => {
  const { members, url } = await startMongodSet(3);
  t.after(() => Promise.all(members.map((member) => member.dispose())));
  const { client, metric, registry } = watchedClient(t, url);
  assert.equal(await metric('up'), 0);
  await client.db('test').command({ ping: 1 });
  await waitUntil(async () => (await metric('servers', { kind: 'secondary' })) === 2, DEADLINE);
  assert.equal(await metric('servers', { kind: 'primary' }), 1);
  assert.equal(await metric('up'), 1);
  const lag = /^posthorn_mongodb_replica_lag_seconds ([\d.e-]+)$/m;
  await waitUntil(async () => lag.test(await registry.metrics()), DEADLINE);
  assert.ok((await metric('connections')) > 0);
  await members[0]?.kill('SIGKILL');
  await members[1]?.kill('SIGKILL');
  await waitUntil(async () => (await metric('up')) === 0, DEADLINE);
  assert.equal(await metric('servers', { kind: 'primary' }), 0);
  assert.ok((await metric('last_failure_timestamp_seconds')) > 0);
});

test('a server that is killed is down until it runs again, without a command in between', async (t) => {
  const server = await startMongod();
  const stops = [() => server.dispose()];
  t.after(() => stops.at(-1)?.());
  const { client, metric } = watchedClient(t, server.url);
  await client.db('test').command({ ping: 1 });
  assert.equal(await metric('up'), 1);
  await server.kill('SIGKILL');
  await waitUntil(async () => (await metric('up')) === 0, DEADLINE);
  const again = await server.restart();
  stops.push(() => again.dispose());
  await waitUntil(async () => (await metric('up')) === 1, DEADLINE);
});

test('a refused login is down although the server answers', async (t) => {
  const mongo = await testMongo();
  t.after(() => mongo.dispose());
  const { host, search } = new URL(mongo.url);
  const { client, metric } = watchedClient(t, `mongodb://somebody:wrong@${host}/${search}`);
  await assert.rejects(client.db('test').command({ ping: 1 }));
  await waitUntil(async () => (await metric('servers', { kind: 'primary' })) === 1, DEADLINE);
  assert.equal(await metric('up'), 0);
  assert.ok((await metric('connection_failures_total', { reason: 'connectionError' })) > 0);
});
