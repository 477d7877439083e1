/** A tenant that is deleted and created again under its id receives nothing of its first life. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { type NatsConnection, connect } from '@nats-io/transport-node';
import { MongoClient } from 'mongodb';
import { type System, TEST_KEY, startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { consumers, partitionOf, streams, subjects } from '#wire/subjects.ts';

const BASE = 'https://posthorn.example.com';
const DELIVERING = [consumers.deliverShared, consumers.deliverHigh, consumers.deliverRepeats];
const headers = { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' };

interface Plane {
  system: System;
  receiver: WebhookReceiver;
  nc: NatsConnection;
}

/** Two ingress processes, as a tenant's new life has to reach both. */
async function start(t: TestContext): Promise<Plane> {
  const receiver = await WebhookReceiver.start();
  const layout = [['ingress'], ['ingress', 'router'], ['delivery'], ['control']] as const;
  const settings = { POSTHORN_PUBLIC_URL: BASE, POSTHORN_SHARDS: '1' };
  const system = await startSystem(layout, settings);
  const nc = await connect({ servers: system.natsUrl });
  t.after(async () => {
    await nc.close();
    await system.stop();
    await receiver.close();
  });
  return { system, receiver, nc };
}

function ingressUrls({ processes }: System): string[] {
  const ingress = processes.filter(({ roles }) => roles.includes('ingress'));
  return ingress.map(({ httpPort }) => `http://127.0.0.1:${httpPort}`);
}

async function publish(url: string, id: string, data: unknown = {}): Promise<number> {
  const body = JSON.stringify({ id, type: 'order.created', data });
  const answer = await fetch(`${url}/v1/tenants/acme/events`, { method: 'POST', headers, body });
  await answer.arrayBuffer();
  return answer.status;
}

async function deleteTenant(system: System): Promise<void> {
  const { authorization } = headers;
  const url = `${system.url('control')}/v1/tenants/acme`;
  const deleted = await fetch(url, { method: 'DELETE', headers: { authorization } });
  assert.equal(deleted.status, 204, await deleted.text());
}

async function createAgain(system: System): Promise<void> {
  await deleteTenant(system);
  const made = await system.api('PUT', '/v1/tenants/acme', {});
  assert.equal(made.status, 201, JSON.stringify(made.body));
}

async function createEndpoint(system: System, url: string, more: object = {}): Promise<string> {
  const made = await system.api('POST', '/v1/tenants/acme/endpoints', { url, ...more });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return (made.body as { id: string }).id;
}

/** Waits until the router and the workers have nothing left to do. */
async function untilQuiet(nc: NatsConnection): Promise<void> {
  const jsm = await jetstreamManager(nc);
  const isIdle = async (stream: string, consumer: string): Promise<boolean> => {
    const { num_pending, num_ack_pending } = await jsm.consumers.info(stream, consumer);
    return num_pending + num_ack_pending === 0;
  };
  await waitUntil(
    async () => {
      if (!(await isIdle(streams.events(0), consumers.router))) return false;
      for (const each of DELIVERING) {
        if (!(await isIdle(streams.deliveries(0), each))) return false;
      }
      return true;
    },
    { what: 'idle consumers', deadlineMs: 60_000 },
  );
}

function idsAt(receiver: WebhookReceiver, path: string): string[] {
  return receiver.at(path).map(({ headers: sent }) => sent['webhook-id'] ?? '');
}

test(
  'a tenant that is created again receives no event of its first life',
  { timeout: 400_000 },
  async (t) => {
    const { system, receiver, nc } = await start(t);
    await system.api('PUT', '/v1/tenants/acme', {});
    const batches = Array.from({ length: 8 }, (_, batch) => {
      const events = Array.from({ length: 1000 }, (__, i) => ({
        id: `old-${batch}-${i}`,
        type: 'order.created',
        data: { batch },
      }));
      return system.api('POST', '/v1/tenants/acme/events/batch', { events });
    });
    for (const answer of await Promise.all(batches)) assert.equal(answer.status, 202);

    await createAgain(system);
    await createEndpoint(system, receiver.url('/new'));
    const [url = ''] = ingressUrls(system);
    assert.equal(await publish(url, 'old-0-0', { batch: 0 }), 202);
    await receiver.waitFor(1, '/new', 30_000);
    await untilQuiet(nc);

    assert.deepEqual(idsAt(receiver, '/new'), ['old-0-0']);
    const list = await waitUntil(
      async () => {
        const { body } = await system.api('GET', '/v1/tenants/acme/events?limit=250');
        const { data } = body as { data: { id: string }[] };
        return data.length > 0 ? data : undefined;
      },
      { what: 'the event in the history' },
    );
    assert.deepEqual(
      list.map(({ id }) => id),
      ['old-0-0'],
    );
  },
);

test(
  'rejected bodies, payload links, held deliveries and keys end with the life of their tenant',
  { timeout: 400_000 },
  async (t) => {
    const { system, receiver, nc } = await start(t);
    await system.api('PUT', '/v1/tenants/acme', {});
    await createEndpoint(system, receiver.url('/old'), { payload: 'url' });
    const held = await createEndpoint(system, receiver.url('/held'));
    await system.api('PATCH', `/v1/tenants/acme/endpoints/${held}`, { status: 'paused' });
    const key = await system.api('POST', '/v1/keys', { scope: 'tenant', tenant_id: 'acme' });
    const [url = ''] = ingressUrls(system);
    assert.equal(await publish(url, 'big', { text: 'x'.repeat(1_500_000) }), 202);
    const [sent] = await receiver.waitFor(1, '/old', 30_000);
    const link = (JSON.parse(sent?.body.toString() ?? '') as { data_url: string }).data_url;
    const linked = system.url('control') + link.slice(BASE.length);
    assert.equal((await fetch(linked)).status, 200);
    nc.publish('in.acme.order.created', 'no JSON');
    const rejected = '/v1/tenants/acme/rejected-events';
    const rejectedCount = async (): Promise<number> =>
      ((await system.api('GET', rejected)).body as { data: unknown[] }).data.length;
    await waitUntil(async () => (await rejectedCount()) === 1, { what: 'the rejected event' });

    await createAgain(system);
    assert.equal((await fetch(linked)).status, 410);
    assert.equal(await rejectedCount(), 0);
    const { key: secret } = key.body as { key: string };
    const asTenant = await fetch(`${system.url('control')}/v1/tenants/acme`, {
      headers: { authorization: `Bearer ${secret}` },
    });
    assert.equal(asTenant.status, 401);

    const jsm = await jetstreamManager(nc);
    const p = partitionOf('acme');
    const left = async (stream: string, subjects_filter: string): Promise<number> => {
      const { state } = await jsm.streams.info(stream, { subjects_filter });
      return Object.keys(state.subjects ?? {}).length;
    };
    await waitUntil(
      async () =>
        (await left(streams.rejected, subjects.rejected('acme'))) === 0 &&
        (await left(streams.events(0), `ev.${p}.acme.>`)) === 0 &&
        (await left(streams.deliveries(0), `dlv.${p}.*.acme.>`)) === 0 &&
        (await left('OBJ_PAYLOADS', '$O.PAYLOADS.C.>')) === 0,
      { what: 'the streams without the first life', deadlineMs: 60_000 },
    );
    const mongo = await new MongoClient(system.mongodUrl).connect();
    t.after(() => mongo.close());
    const db = mongo.db('posthorn');
    await waitUntil(
      async () => {
        const counts = await Promise.all(
          ['events', 'deliveries', 'dead_letters', 'endpoint_health'].map((name) =>
            db.collection(name).countDocuments({ tenant: 'acme' }),
          ),
        );
        return counts.every((count) => count === 0);
      },
      { what: 'the history without the first life', deadlineMs: 60_000 },
    );
  },
);

interface Accepted {
  id: string;
  sentMs: number;
  answeredMs: number;
}

/** Publishes without pause until it is stopped; returns the events that were answered with 202. */
function startProducer(url: string, name: string): { stop: () => Promise<Accepted[]> } {
  const accepted: Accepted[] = [];
  const stopping = new AbortController();
  const running = (async () => {
    for (let i = 0; !stopping.signal.aborted; i++) {
      const id = `${name}-${i}`;
      const sentMs = performance.now();
      const status = await publish(url, id);
      if (status === 202) accepted.push({ id, sentMs, answeredMs: performance.now() });
      else assert.ok(status === 404 || status === 503, `answered with ${status}`);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
      return accepted;
    },
  };
}

test(
  'producers that publish while their tenant is created again lose no event and mix no lives',
  { timeout: 400_000 },
  async (t) => {
    const { system, receiver, nc } = await start(t);
    await system.api('PUT', '/v1/tenants/acme', {});
    await createEndpoint(system, receiver.url('/r0'));
    const producers = ingressUrls(system).flatMap((url, n) => [
      startProducer(url, `a${n}`),
      startProducer(url, `b${n}`),
    ]);
    const rounds = [{ endedMs: 0, bornMs: 0, readyMs: 0 }];
    for (let round = 1; round <= 4; round++) {
      await receiver.waitFor(20, `/r${round - 1}`, 30_000);
      const endedMs = performance.now();
      await createAgain(system);
      const bornMs = performance.now();
      await createEndpoint(system, receiver.url(`/r${round}`));
      rounds.push({ endedMs, bornMs, readyMs: performance.now() });
    }
    await receiver.waitFor(20, '/r4', 30_000);
    const accepted = (await Promise.all(producers.map((each) => each.stop()))).flat();
    await untilQuiet(nc);

    const byId = new Map(accepted.map((each) => [each.id, each]));
    for (const [round, { endedMs }] of rounds.entries()) {
      const mixed = idsAt(receiver, `/r${round}`).filter((id) => {
        // An event without a 202 may have been stored nevertheless.
        const answeredMs = byId.get(id)?.answeredMs ?? Number.POSITIVE_INFINITY;
        return answeredMs < endedMs;
      });
      assert.deepEqual(mixed, [], `round ${round} received events of an earlier life`);
    }
    const last = rounds.at(-1) ?? { bornMs: 0, readyMs: 0 };
    const got = new Set(idsAt(receiver, '/r4'));
    const lost = accepted.filter(({ id, sentMs }) => sentMs >= last.readyMs && !got.has(id));
    assert.deepEqual(lost, []);
    // Before the endpoint existed, events had no receiver: the history has them in the new life.
    const mongo = await new MongoClient(system.mongodUrl).connect();
    t.after(() => mongo.close());
    const inNewLife = accepted.filter(({ answeredMs }) => answeredMs >= last.bornMs);
    assert.ok(inNewLife.length > 0);
    const _id = { $in: inNewLife.map(({ id }) => `acme=4/${id}`) };
    const stored = { _id, seq: { $exists: true } };
    const events = mongo.db('posthorn').collection<{ _id: string }>('events');
    await waitUntil(async () => (await events.countDocuments(stored)) === inNewLife.length, {
      what: 'every event answered after the tenant was created again, in its new life',
    });
  },
);

test(
  'an ingress process that was paused accepts no event for an earlier life',
  { timeout: 400_000 },
  async (t) => {
    const { system, receiver, nc } = await start(t);
    const [url = ''] = ingressUrls(system);
    const [paused] = system.processes;
    await system.api('PUT', '/v1/tenants/acme', {});
    assert.equal(await publish(url, 'known'), 202);
    await paused?.kill('SIGSTOP');
    const answers = Promise.all(['p1', 'p2', 'p3'].map((id) => publish(url, id)));
    try {
      await deleteTenant(system);
      await waitUntil(async () => (await system.api('PUT', '/v1/tenants/acme', {})).status < 300, {
        what: 'the tenant, once the lease of the paused process has expired',
      });
      await createEndpoint(system, receiver.url('/new'));
    } finally {
      await paused?.kill('SIGCONT');
    }
    const ids = ['p1', 'p2', 'p3'];
    const accepted = (await answers).map((status, i) => (status === 202 ? ids[i] : undefined));
    assert.equal(await publish(url, 'after'), 202);
    await receiver.waitFor(1, '/new', 30_000);
    await untilQuiet(nc);
    const wanted = [...accepted.filter((id) => id !== undefined), 'after'];
    assert.deepEqual(new Set(idsAt(receiver, '/new')), new Set(wanted));
  },
);
