/** docs/operations/backup.md: both stores are backed up under load, destroyed, and restored. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { connect } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { MongoClient } from 'mongodb';
import { findFreePort } from '#src/embedded/free-port.ts';
import { startRoleProcess } from '#src/app/run/role-process.ts';
import { type TestServer, startMongod, startNatsServer } from '#testkit/servers.ts';
import { TEST_KEY } from '#testkit/system.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { subjects } from '#wire/subjects.ts';
import { type StreamBackup, backUpStreams, restoreStream } from './jetstream-backup.ts';

/** Buckets are created again from MongoDB and from the streams, see the page. */
const BUCKET = 'KV_';
/** The one bucket that is restored. */
const BEHIND = 'KV_BEHIND';

/** Fewer than one page of a list. */
const DURING_MAX = 200;

function idIn(body: Buffer): string {
  return (JSON.parse(body.toString()) as { data: { id: string } }).data.id;
}

class Installation {
  private nats: TestServer;
  private mongod: TestServer;
  private stopProcess: (() => Promise<void>) | undefined;
  private readonly masterKey = randomBytes(32).toString('base64');
  private apiUrl = '';

  private constructor(nats: TestServer, mongod: TestServer) {
    this.nats = nats;
    this.mongod = mongod;
  }

  static async start(t: TestContext): Promise<Installation> {
    const made = new Installation(await startNatsServer(), await startMongod());
    t.after(async () => {
      await made.stopProcess?.();
      await made.nats.dispose();
      await made.mongod.dispose();
    });
    await made.startPosthorn();
    return made;
  }

  async startPosthorn(): Promise<void> {
    const [httpPort, opsPort] = [await findFreePort(), await findFreePort()];
    const running = await startRoleProcess(['ingress', 'router', 'delivery', 'control'], {
      PATH: process.env['PATH'],
      POSTHORN_NATS_URL: this.nats.url,
      POSTHORN_MONGODB_URL: this.mongod.url,
      POSTHORN_SHARDS: '2',
      POSTHORN_MASTER_KEY: this.masterKey,
      POSTHORN_BOOTSTRAP_KEY: TEST_KEY,
      POSTHORN_EGRESS_ALLOW: '127.0.0.0/8',
      POSTHORN_HTTP_HOST: '127.0.0.1',
      POSTHORN_HTTP_PORT: String(httpPort),
      POSTHORN_OPS_PORT: String(opsPort),
      POSTHORN_LOG_LEVEL: 'fatal',
    });
    this.stopProcess = () => running.stop();
    this.apiUrl = `http://127.0.0.1:${httpPort}`;
    await waitUntil(async () => (await fetch(`http://127.0.0.1:${opsPort}/readyz`)).ok, {
      what: 'posthorn ready',
      deadlineMs: 30_000,
    });
  }

  async stopPosthorn(): Promise<void> {
    await this.stopProcess?.();
    this.stopProcess = undefined;
  }

  async backUpMongodb(dir: string): Promise<void> {
    const client = new MongoClient(this.mongod.url);
    try {
      const admin = client.db('admin');
      await admin.command({ fsync: 1, lock: true });
      await cp(this.mongod.dataDir, join(dir, 'mongod'), { recursive: true });
      await admin.command({ fsyncUnlock: 1 });
    } finally {
      await client.close();
    }
  }

  async backUpStreams(): Promise<StreamBackup[]> {
    const connection = await connect({ servers: this.nats.url });
    try {
      return await backUpStreams(connection);
    } finally {
      await connection.close();
    }
  }

  /** Both servers die and their folders are emptied. */
  async destroy(): Promise<void> {
    for (const server of [this.nats, this.mongod]) {
      await server.kill('SIGKILL');
      await rm(server.dataDir, { recursive: true });
    }
  }

  async restore(dir: string, streams: StreamBackup[]): Promise<void> {
    await cp(join(dir, 'mongod'), this.mongod.dataDir, { recursive: true });
    this.mongod = await this.mongod.restart();
    this.nats = await this.nats.restart();
    const connection = await connect({ servers: this.nats.url });
    try {
      for (const stream of streams) {
        const isBucket = stream.name.startsWith(BUCKET) && stream.name !== BEHIND;
        if (!isBucket) await restoreStream(connection, stream);
      }
      const { streams: found, consumers } = await jetstreamManager(connection);
      for await (const { config } of found.list()) {
        for await (const { name } of consumers.list(config.name)) {
          if (name === 'projector') await consumers.delete(config.name, name);
        }
      }
    } finally {
      await connection.close();
    }
  }

  async api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(this.apiUrl + path, {
      method,
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  /** Counts the events of a type in the streams. */
  async storedEvents(tenant: string, type: string): Promise<number> {
    const connection = await connect({ servers: this.nats.url });
    try {
      const manager = await jetstreamManager(connection);
      const subject = subjects.event(tenant, type);
      const stream = await manager.streams.find(subject);
      const { state } = await manager.streams.info(stream, { subjects_filter: subject });
      return state.subjects?.[subject] ?? 0;
    } finally {
      await connection.close();
    }
  }

  /** The statuses of an event's deliveries in the history. */
  async statuses(event: string): Promise<unknown[]> {
    const { data } = await this.api('GET', `/v1/tenants/acme/events/${event}/deliveries`);
    return (data as { status: string }[]).map(({ status }) => status);
  }
}

test(
  'configuration, history and pending deliveries exist after both stores are lost and restored',
  { timeout: 400_000 },
  async (t) => {
    const receiver = await WebhookReceiver.start();
    t.after(() => receiver.close());
    const system = await Installation.start(t);
    const dir = await tempDir(t);

    await system.api('PUT', '/v1/tenants/acme', { name: 'Acme' });
    const addEndpoint = async (path: string, type: string, more: object = {}): Promise<string> => {
      const body = { url: receiver.url(path), event_types: [type], ...more };
      return String((await system.api('POST', '/v1/tenants/acme/endpoints', body))['id']);
    };
    await addEndpoint('/well', 'well.*');
    receiver.on('/ill', { status: 503 });
    await addEndpoint('/ill', 'ill.*', { retry: { delays_seconds: [20, 20, 20, 20, 20] } });
    const paused = await addEndpoint('/paused', 'paused.*');
    await system.api('PATCH', `/v1/tenants/acme/endpoints/${paused}`, { status: 'paused' });

    const publish = (id: string, type: string) =>
      system.api('POST', '/v1/tenants/acme/events', { id, type, data: { id } });
    await publish('e-well', 'well.done');
    await publish('e-ill', 'ill.again');
    await publish('e-paused', 'paused.later');
    await receiver.waitFor(1, '/well');
    await receiver.waitFor(1, '/ill');
    const all = ['e-well', 'e-ill', 'e-paused'];
    const show = async () => (await Promise.all(all.map((id) => system.statuses(id)))).flat();
    const expected = ['delivered', 'pending', 'held'];
    await waitUntil(async () => isDeepStrictEqual(await show(), expected), {
      what: `the history: ${expected.join()}`,
    });
    const config = await system.api('GET', '/v1/tenants/acme/endpoints');

    // MongoDB first: records that it lacks are in the streams. With the streams first, later
    // records in MongoDB would count as delivered.
    await system.backUpMongodb(dir);
    // Events arrive and are routed during the backup of the streams. Until the disaster they are
    // held.
    await publish('e-during', 'paused.later');
    const publishing = new AbortController();
    const during = (async () => {
      for (let i = 0; i < DURING_MAX && !publishing.signal.aborted; i++) {
        await publish(`e-during-${i}`, 'paused.later');
      }
    })();
    const streams = await system.backUpStreams();
    publishing.abort();
    await during;
    await publish('e-after', 'well.after');
    await receiver.waitFor(2, '/well');
    await system.stopPosthorn();
    await system.destroy();
    const tried = receiver.at('/ill').length;
    receiver.on('/ill', { status: 204 });
    await system.restore(dir, streams);
    await system.startPosthorn();

    assert.deepEqual(await system.api('GET', '/v1/tenants/acme/endpoints'), config);
    // The history is completed from the streams, which were backed up after it.
    const listed = async (type: string): Promise<string[]> => {
      const path = `/v1/tenants/acme/events?limit=250&event_type=${type}`;
      const { data } = await system.api('GET', path);
      return (data as { id: string }[]).map(({ id }) => id);
    };
    const restored = await system.storedEvents('acme', 'paused.later');
    assert.ok(restored >= 2, 'e-paused and e-during, and later events');
    await waitUntil(async () => (await listed('paused.later')).length >= restored, {
      what: 'the history of events during the backup',
      deadlineMs: 30_000,
    });
    assert.deepEqual(await listed('well.after'), [], 'events after the backup are lost');
    // A delivery that waited for its retry is sent when due, signed with a secret that can still be
    // opened.
    await receiver.waitFor(tried + 1, '/ill', 60_000);
    await waitUntil(async () => (await system.statuses('e-ill'))[0] === 'delivered', {
      what: 'e-ill in the history',
      deadlineMs: 60_000,
    });
    // A held delivery is still held, and is sent when its endpoint is active again.
    await system.api('PATCH', `/v1/tenants/acme/endpoints/${paused}`, { status: 'active' });
    const kept = new Set(await listed('paused.later'));
    const dataIds = (path: string): string[] => receiver.at(path).map(({ body }) => idIn(body));
    await waitUntil(() => kept.difference(new Set(dataIds('/paused'))).size === 0, {
      what: 'every event of the restored streams at its endpoint',
      deadlineMs: 60_000,
    });
    // An event delivered before the backup is not sent again, and its id is still known.
    await publish('e-well', 'well.done');
    // An event after the backup is unknown: its producer may publish it again.
    await publish('e-after', 'well.after');
    await receiver.waitFor(3, '/well');
    assert.deepEqual(dataIds('/well'), ['e-well', 'e-after', 'e-after']);
  },
);
