import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { systemClock } from '#infra/system-clock.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { ConfigWriter } from '#src/control/config-sync/config-writer.ts';
import { SnapshotReader } from '#src/control/config-sync/snapshot-reader.ts';
import { startMongod } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { ApiKeySnapshot, EventTypeSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { buckets } from '#wire/subjects.ts';
import { type ControlPlane, configGone, configValue, startControlPlane } from '../control-plane.ts';

const weightIs = (weight: number) => (snapshot: TenantSnapshot) => snapshot.weight === weight;

/** Makes a change as a process that dies before it publishes: only the sync sees it. */
async function changeBehindTheApi(plane: ControlPlane, id: string, weight: number): Promise<void> {
  await configurationOf(plane.db).tenants.updateOne(
    { _id: id },
    {
      $set: { weight },
      $inc: { config_rev: 1, revision: 1 },
      $setOnInsert: {
        name: null,
        event_type_policy: null,
        created_at: new Date(),
        updated_at: new Date(),
      },
    },
    { upsert: true },
  );
}

const inSync = (plane: ControlPlane): Promise<unknown> =>
  waitUntil(() => plane.control.syncState() === 'in_sync', { what: 'in sync' });

test('a change in MongoDB is published to CONFIG', async (t) => {
  const plane = await startControlPlane(t);
  await inSync(plane);
  await changeBehindTheApi(plane, 'acme', 5);
  await configValue(plane.kv, 'tenant.acme', weightIs(5));
  await changeBehindTheApi(plane, 'acme', 6);
  await configValue(plane.kv, 'tenant.acme', weightIs(6));
  await configurationOf(plane.db).tenants.deleteOne({ _id: 'acme' });
  await configGone(plane.kv, 'tenant.acme');
  await plane.call('PUT', '/v1/event-types/order.created', {});
  const type = await configValue<EventTypeSnapshot>(plane.kv, 'type.order.created');
  assert.deepEqual(type, {
    v: 1,
    name: 'order.created',
    rev: 1,
    state: 'ACTIVE',
    sensitive: false,
  });
});

test('changes and deletions made while control was down are published after its start', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  await plane.call('PUT', '/v1/tenants/old', {});
  const { key, id } = (await plane.call('POST', '/v1/keys', { scope: 'platform' })).body;
  const hash = keyHash(key);
  await configValue<ApiKeySnapshot>(plane.kv, `key.${hash}`);
  await configurationOf(plane.db).tenants.deleteOne({ _id: 'old' });
  await configurationOf(plane.db).apiKeys.updateOne(
    { id },
    { $set: { revoked_at: new Date() }, $inc: { revision: 1 } },
  );
  await changeBehindTheApi(plane, 'new', 7);
  await plane.kv.put('tenant.unreadable', 'not json');
  await plane.control.service.start();
  await configValue(plane.kv, 'tenant.new', weightIs(7));
  await configGone(plane.kv, 'tenant.old');
  await configGone(plane.kv, `key.${hash}`);
  await configGone(plane.kv, 'tenant.unreadable');
});

test('two concurrent control processes publish the state of MongoDB', async (t) => {
  const plane = await startControlPlane(t);
  await plane.startAnother().service.start();
  await inSync(plane);
  for (let weight = 1; weight <= 50; weight++) {
    const change = changeBehindTheApi(plane, `t${weight % 3}`, weight);
    // Some one after the other, some concurrently.
    if (weight % 2 === 0) await change;
    else void change.catch(assert.fail);
  }
  await waitUntil(async () => {
    for (const tenant of await configurationOf(plane.db).tenants.find().toArray()) {
      const entry = await plane.kv.get(`tenant.${tenant._id}`);
      const snapshot = entry?.json<TenantSnapshot>();
      if (snapshot?.rev !== tenant.config_rev || snapshot.weight !== tenant.weight) return false;
    }
    return true;
  });
  await plane.call('DELETE', '/v1/tenants/t1');
  await configGone(plane.kv, 'tenant.t1');
});

test('a slow writer with an old state does not undo a newer write', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  await changeBehindTheApi(plane, 'slow', 1);
  const reader = new SnapshotReader({ mongo: plane.db.client, db: plane.db, clock: systemClock });
  const shared = {
    openBucket: async () => plane.kv,
    readRevision: (key: string) => reader.readRevision(key),
    log: createLog('silent'),
  };
  const fast = new ConfigWriter({ ...shared, read: (key) => reader.read(key) });
  let reads = 0;
  const slow = new ConfigWriter({
    ...shared,
    async read(key) {
      const seen = await reader.read(key);
      if (reads++ > 0) return seen;
      // Between its reading and its writing, the tenant changes, and another writer publishes that.
      await configurationOf(plane.db).tenants.deleteOne({ _id: 'slow' });
      await fast.sync(key);
      await changeBehindTheApi(plane, 'slow', 2);
      await fast.sync(key);
      await configurationOf(plane.db).tenants.deleteOne({ _id: 'slow' });
      await fast.sync(key);
      return seen;
    },
  });
  await fast.sync('tenant.slow');
  await changeBehindTheApi(plane, 'slow', 1.5);
  await slow.sync('tenant.slow');
  assert.equal(reads, 2);
  // The bucket was unchanged since the slow writer had read it, so it wrote nothing; then it
  // processed the deletion.
  assert.equal((await plane.kv.get('tenant.slow'))?.operation, 'DEL');
});

test('a database restored from a backup does not undo the published state, and its next change is published', async (t) => {
  const plane = await startControlPlane(t);
  await inSync(plane);
  await plane.call('PUT', '/v1/tenants/restored', { weight: 50 });
  const { rev } = await configValue(plane.kv, 'tenant.restored', weightIs(50));
  const old = { config_rev: rev - 10, weight: 3 };
  await configurationOf(plane.db).tenants.updateOne({ _id: 'restored' }, { $set: old });
  await changeBehindTheApi(plane, 'after', 1);
  await configValue(plane.kv, 'tenant.after', weightIs(1));
  assert.equal((await plane.kv.get('tenant.restored'))?.json<TenantSnapshot>().weight, 50);
  await plane.call('PUT', '/v1/tenants/restored', { weight: 4 });
  await configValue(plane.kv, 'tenant.restored', weightIs(4));
});

test('no change is missed when the change stream is killed', async (t) => {
  const plane = await startControlPlane(t);
  await inSync(plane);
  const admin = plane.db.client.db('admin');
  for (let round = 1; round <= 3; round++) {
    await changeBehindTheApi(plane, 'killed', round);
    // Between two reads of the stream its cursor is in use, and shown otherwise.
    const cursors = await waitUntil(
      async () => {
        const operations = await admin
          .aggregate<{ cursor: { cursorId: bigint } }>([
            { $currentOp: { idleCursors: true, allUsers: true, localOps: true } },
            {
              $match: {
                ns: new RegExp(`^${plane.db.databaseName}[.]`),
                'cursor.cursorId': { $exists: true },
              },
            },
          ])
          .toArray();
        return operations.length > 0 && operations.map(({ cursor }) => cursor.cursorId);
      },
      { what: 'the cursor of the stream' },
    );
    await plane.db.command({ killCursors: '$cmd.aggregate', cursors });
    await changeBehindTheApi(plane, 'killed', round + 10);
    await configValue(plane.kv, 'tenant.killed', weightIs(round + 10));
  }
});

test('changes are found by comparison when the change stream cannot be resumed', async (t) => {
  const plane = await startControlPlane(t);
  await inSync(plane);
  await changeBehindTheApi(plane, 'gone', 1);
  await configValue(plane.kv, 'tenant.gone', weightIs(1));
  // A dropped collection ends the round; the documents of it are not in the stream one by one.
  await configurationOf(plane.db).tenants.drop();
  await configGone(plane.kv, 'tenant.gone');
  await changeBehindTheApi(plane, 'again', 2);
  await configValue(plane.kv, 'tenant.again', weightIs(2));
});

test('no change is missed when MongoDB restarts', async (t) => {
  let mongod = await startMongod();
  t.after(() => mongod.dispose());
  const plane = await startControlPlane(t, { mongodUrl: mongod.url });
  await inSync(plane);
  await changeBehindTheApi(plane, 'restart', 1);
  await mongod.kill('SIGKILL');
  const unavailable = await plane.call('GET', '/v1/tenants/restart');
  assert.equal(unavailable.body.code, 'POSTHORN_MONGODB_UNAVAILABLE');
  mongod = await mongod.restart();
  await waitUntil(() => changeBehindTheApi(plane, 'restart', 2).then(() => true), {
    deadlineMs: 30_000,
  });
  await configValue(plane.kv, 'tenant.restart', weightIs(2));
});

test('control waits for MongoDB when it is unavailable at the start', async (t) => {
  let mongod = await startMongod();
  t.after(() => mongod.dispose());
  await mongod.kill('SIGKILL');
  const plane = await startControlPlane(t, { mongodUrl: mongod.url });
  assert.equal(plane.control.syncState(), 'starting');
  assert.equal((await plane.call('PUT', '/v1/tenants/early', {})).status, 503);
  mongod = await mongod.restart();
  await waitUntil(() => plane.control.syncState() === 'in_sync', { deadlineMs: 30_000 });
});

test('a change is stored while NATS is unavailable, and published once NATS is back', async (t) => {
  const plane = await startControlPlane(t);
  await inSync(plane);
  await plane.nats.kill('SIGKILL');
  const made = await plane.call('PUT', '/v1/tenants/patient', { weight: 9 });
  assert.equal(made.status, 201, made.text);
  const nats = await plane.nats.restart();
  t.after(() => nats.stop());
  await configValue(plane.kv, 'tenant.patient', weightIs(9));
});

test('a bucket that was created again is filled from MongoDB', async (t) => {
  const plane = await startControlPlane(t);
  await inSync(plane);
  await plane.call('PUT', '/v1/tenants/acme', { weight: 5 });
  await configValue(plane.kv, 'tenant.acme', weightIs(5));
  await plane.kv.destroy();
  await new Kvm(plane.nc).create(buckets.config, { history: 1 });
  plane.control.compareConfig();
  await configValue(plane.kv, 'tenant.acme', weightIs(5));
});
