import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { MongoClient } from 'mongodb';
import { findFreePort } from '#src/embedded/free-port.ts';
import { startMongod as startEmbeddedMongod } from '#src/embedded/mongod.ts';
import { becomePrimary } from '#src/embedded/mongod-replica-set.ts';
import { mongod } from '#src/embedded/program.ts';
import { startMongod, testBinary, testMongo } from '#testkit/servers.ts';
import { startTcpRelay } from '../../kit/network/tcp-relay.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';

test('mongod is a primary with change streams and transactions', async (t) => {
  const mongo = await testMongo();
  t.after(() => mongo.dispose());
  const session = mongo.client.startSession();
  await session.withTransaction(async () => {
    await mongo.db.collection<{ _id: string }>('a').insertOne({ _id: 'one' }, { session });
  });
  await session.endSession();
  assert.equal(await mongo.db.collection('a').countDocuments(), 1);
  await mongo.db.watch().close();
});

test('mongod becomes primary again on an existing folder, also on another port', async (t) => {
  let server = await startMongod();
  t.after(() => server.dispose());
  const write = async () => {
    const client = new MongoClient(server.url);
    await client
      .db('d')
      .collection('c')
      .insertOne({}, { writeConcern: { w: 'majority' } });
    const count = await client.db('d').collection('c').countDocuments();
    await client.close();
    return count;
  };
  assert.equal(await write(), 1);
  await server.kill('SIGKILL');
  server = await server.restart();
  assert.equal(await write(), 2);
  await server.stop();
  server = await server.restart(await findFreePort());
  assert.equal(await write(), 3);
});

for (const command of ['serverStatus', 'replSetGetConfig', 'replSetInitiate']) {
  test(`mongod becomes primary when the connection of ${command} closes at the change of its state`, async (t) => {
    const dataDir = await tempDir(t);
    const binary = await testBinary(mongod);
    const server = await startEmbeddedMongod({ binary, dataDir, ofSeveral: true });
    t.after(() => server.stop());
    const relay = await startTcpRelay(server.port);
    t.after(() => relay.close());
    relay.breakAt(command);
    const signal = AbortSignal.timeout(60_000);
    await becomePrimary({ port: relay.port, pid: server.pid, signal });
    const client = new MongoClient(server.url);
    t.after(() => client.close());
    await client.db('d').collection('c').insertOne({});
  });
}

test('mongod becomes primary on another port when a process on its old port never answers', async (t) => {
  const server = await startMongod();
  t.after(() => server.dispose());
  await server.stop();
  const mute = createServer((socket) => socket.on('error', () => undefined));
  await once(mute.listen(server.port, '127.0.0.1'), 'listening');
  t.after(() => mute.close());
  const connected = once(mute, 'connection').then(([socket]) => socket as Socket);
  const port = await findFreePort();
  const restarting = server.restart(port);
  t.after(() =>
    restarting.then(
      (again) => again.stop(),
      () => undefined,
    ),
  );
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`);
  t.after(() => client.close());
  // While the old port does not answer, mongod cannot find itself in the set and cannot be
  // initiated again.
  await waitUntil(async () => {
    const { metrics } = await client.db('admin').command({ serverStatus: 1 });
    return metrics.commands.replSetInitiate.total > 0;
  });
  (await connected).destroy();
  await restarting;
  await client.db('d').collection('c').insertOne({});
});
