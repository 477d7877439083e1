import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMongod, startNatsServer, testMongo } from '#testkit/servers.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { jetstreamManager } from '@nats-io/jetstream';
import { MongoClient } from 'mongodb';

const log = createLog('silent');

test('nats-server keeps its streams over kill -9 on the same port', async (t) => {
  let server = await startNatsServer();
  t.after(() => server.dispose());
  const nc = await connectNats(server.url, 'test', log);
  t.after(() => nc.close());
  const streams = await jetstreamManager(nc);
  await streams.streams.add({ name: 'KEPT', subjects: ['kept'] });
  assert.equal(nc.info?.max_payload, 8 * 1024 * 1024);
  const port = server.port;
  await server.kill('SIGKILL');
  assert.equal((await server.exited).signal, 'SIGKILL');
  server = await server.restart();
  assert.equal(server.port, port);
  const again = await connectNats(server.url, 'test', log);
  t.after(() => again.close());
  const info = await (await jetstreamManager(again)).streams.info('KEPT');
  assert.equal(info.config.name, 'KEPT');
});

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

test('mongod on an old folder is primary again, on another port too', async (t) => {
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
});
