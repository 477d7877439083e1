import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { MongoClient } from 'mongodb';
import { Registry } from 'prom-client';
import { lagMs, type Member, watchMongo } from '#infra/mongo/client-metrics.ts';
import { ManualClock } from '#testkit/test-clock.ts';

const member = (kind: Member['kind'], lastWriteMs: number | undefined, seenMs: number): Member => ({
  kind,
  lastWriteMs,
  seenMs,
});

test('the lag counts the slowest secondary, without the time between two heartbeats', () => {
  const primary = member('primary', 100_000, 1000);
  const current = member('secondary', 109_000, 10_000);
  const slow = member('secondary', 70_000, 6000);
  assert.equal(lagMs([primary, current, slow]), 35_000);
  assert.equal(lagMs([primary, current]), 0);
});

test('the lag is unknown without a primary, without a secondary, and without a last write', () => {
  const primary = member('primary', 100_000, 1000);
  assert.equal(lagMs([]), undefined);
  assert.equal(lagMs([primary, member('other', 1, 1)]), undefined);
  assert.equal(lagMs([member('secondary', 1, 1)]), undefined);
  assert.equal(lagMs([primary, member('secondary', undefined, 1000)]), undefined);
});

/** The metrics of a client whose events the test emits. */
function watched() {
  const client = new EventEmitter();
  const registry = new Registry();
  watchMongo(client as EventEmitter & MongoClient, { registry, clock: new ManualClock() });
  const value = async (name: string, labels: Record<string, string> = {}) => {
    const { values = [] } = (await registry.getSingleMetric(name)?.get()) ?? {};
    const wanted = JSON.stringify(labels);
    return values.find((one) => JSON.stringify(one.labels) === wanted)?.value;
  };
  const heartbeat = (connectionId: string, reply: object) =>
    client.emit('serverHeartbeatSucceeded', { connectionId, reply });
  return { client, value, heartbeat };
}

test('the client is up while a primary answers the heartbeats', async () => {
  const { client, value, heartbeat } = watched();
  assert.equal(await value('posthorn_mongodb_up'), 0);
  heartbeat('a', { isWritablePrimary: true, lastWrite: { lastWriteDate: new Date(9000) } });
  heartbeat('b', { secondary: true, lastWrite: { lastWriteDate: new Date(7000) } });
  heartbeat('c', { arbiterOnly: true });
  assert.equal(await value('posthorn_mongodb_up'), 1);
  for (const kind of ['primary', 'secondary', 'other']) {
    assert.equal(await value('posthorn_mongodb_servers', { kind }), 1, kind);
  }
  assert.equal(await value('posthorn_mongodb_replica_lag_seconds'), 2);
  client.emit('serverClosed', { address: 'b' });
  assert.equal(await value('posthorn_mongodb_replica_lag_seconds'), undefined);
  client.emit('serverHeartbeatFailed', { connectionId: 'a' });
  assert.equal(await value('posthorn_mongodb_up'), 0);
  assert.ok(((await value('posthorn_mongodb_last_failure_timestamp_seconds')) ?? 0) > 0);
});

test('the client is down after a refused connection, until one is accepted', async () => {
  const { client, value, heartbeat } = watched();
  heartbeat('a', { ismaster: true });
  client.emit('connectionCheckOutFailed', { reason: 'timeout' });
  assert.equal(await value('posthorn_mongodb_up'), 1, 'a full pool is not down');
  client.emit('connectionCheckOutFailed', { reason: 'connectionError' });
  assert.equal(await value('posthorn_mongodb_up'), 0);
  const reason = 'connectionError';
  assert.equal(await value('posthorn_mongodb_connection_failures_total', { reason }), 1);
  client.emit('connectionPoolReady');
  assert.equal(await value('posthorn_mongodb_up'), 1);
});

test('connections are counted in use and idle', async () => {
  const { client, value } = watched();
  for (const name of ['connectionCreated', 'connectionCreated', 'connectionCheckedOut']) {
    client.emit(name);
  }
  const counts = async () => [
    await value('posthorn_mongodb_connections', { state: 'in_use' }),
    await value('posthorn_mongodb_connections', { state: 'idle' }),
  ];
  assert.deepEqual(await counts(), [1, 1]);
  client.emit('connectionCheckedIn');
  client.emit('connectionClosed');
  assert.deepEqual(await counts(), [0, 1]);
});
