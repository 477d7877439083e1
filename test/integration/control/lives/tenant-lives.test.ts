/** How a tenant's life ends and the next one begins, even if a process crashes in between. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { before, test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { systemClock } from '#infra/system-clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { changeTenant } from '#src/control/config-sync/change-tenant.ts';
import { LifeViews } from '#src/control/lives/life-views.ts';
import { Tombstones } from '#src/control/lives/tombstones.ts';
import { Tenants, type TenantsDeps } from '#src/control/resources/tenants.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { buckets, configKeys, leaseKeys, streams, subjects } from '#wire/subjects.ts';
import { type ControlPlane, configGone, configValue, startControlPlane } from '../control-plane.ts';
import { makePurger } from './make-purger.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

class Crash extends Error {}

/** The part of a control process that changes tenants, with the replacements of the test. */
function tenants(changes: Partial<TenantsDeps> = {}): Tenants {
  const configuration = configurationOf(plane.db);
  const jsm = () => jetstreamManager(plane.nc, { checkAPI: false });
  return new Tenants({
    mongo: plane.mongo,
    configuration,
    publish: async () => undefined,
    turns: { run: (_key, work) => work() },
    clock: systemClock,
    tombstones: new Tombstones({ configuration, history: historyOf(plane.db) }),
    views: new LifeViews({ clock: systemClock, nc: plane.nc, jsm }),
    onRemoved: () => undefined,
    ...changes,
  });
}

const put = (id: string) => plane.call('PUT', `/v1/tenants/${id}`, {});
const remove = (id: string) => plane.call('DELETE', `/v1/tenants/${id}`);
const snapshotOf = (id: string, life: number): Promise<TenantSnapshot> =>
  configValue<TenantSnapshot>(plane.kv, configKeys.tenant(id), (known) => known.life === life);
const documentOf = (id: string) => configurationOf(plane.db).tenants.findOne({ _id: id });

async function leases(): Promise<KV> {
  return new Kvm(jetstream(plane.nc)).open(buckets.leases);
}

test('a tenant gets its next life each time that it is created again', async () => {
  assert.equal((await put('phoenix')).status, 201);
  const first = await configValue<TenantSnapshot>(plane.kv, configKeys.tenant('phoenix'));
  assert.equal('life' in first, false, 'the snapshot of a first life is as it always was');
  for (const life of [1, 2, 3]) {
    assert.equal((await remove('phoenix')).status, 204);
    assert.equal((await put('phoenix')).status, 201);
    assert.equal((await snapshotOf('phoenix', life)).life, life);
  }
});

test('an entity tag of an earlier life does not match, and the snapshot is newer with any clock', async () => {
  const made = await put('tagged');
  const before = await configValue<TenantSnapshot>(plane.kv, configKeys.tenant('tagged'));
  await remove('tagged');
  // By the clock of this process an hour ago.
  const clock = { ...systemClock, wallMs: () => systemClock.wallMs() - 3_600_000 };
  await tenants({ clock }).put('tagged', {}, undefined);
  const document = await documentOf('tagged');
  assert.ok((document?.config_rev ?? 0) > before.rev);
  const headers = { 'if-match': String(made.headers['etag']) };
  const stale = await plane.call('PUT', '/v1/tenants/tagged', {}, { headers });
  assert.equal(stale.status, 412);
});

test('a deletion takes effect when its process crashes before publishing it', async () => {
  await put('fallen');
  const publish = () => Promise.reject(new Crash());
  await assert.rejects(tenants({ publish }).remove('fallen', {}), Crash);
  await configGone(plane.kv, configKeys.tenant('fallen'));
  assert.equal((await put('fallen')).status, 201);
  assert.equal((await snapshotOf('fallen', 1)).life, 1);
});

test('a creation is completed when its process crashes before it is published or confirmed', async () => {
  const crash = () => Promise.reject(new Crash());
  for (const [id, broken] of [
    ['unpublished', { publish: crash }],
    ['unasked', { views: { confirm: crash } }],
  ] as const) {
    await put(id);
    await remove(id);
    await assert.rejects(tenants(broken).put(id, {}, undefined), Crash);
    assert.equal((await documentOf(id))?.unconfirmed, true);
    // To its caller it is created only now.
    const again = await put(id);
    assert.equal(again.status, 201);
    assert.equal((await documentOf(id))?.unconfirmed, undefined);
    assert.equal(
      (await snapshotOf(id, 1)).life,
      1,
      'its life is still the first after the deletion',
    );
    assert.equal((await put(id)).status, 200);
  }
});

test('rejects a new life of a tenant with POSTHORN_TENANT_NOT_READY while a process does not answer', async () => {
  const bucket = await leases();
  const key = leaseKeys('view').worker('silent');
  // A process that is alive and does not answer.
  await bucket.put(key, 'silent');
  const heart = setInterval(() => void bucket.put(key, 'silent'), 500);
  await put('awaited');
  await remove('awaited');
  try {
    const answer = await put('awaited');
    assert.equal(answer.status, 503);
    assert.equal(answer.body.code, 'POSTHORN_TENANT_NOT_READY');
    assert.equal(answer.headers['retry-after'], '1');
  } finally {
    clearInterval(heart);
  }
  // The process is dead, so its lease expires.
  assert.equal((await put('awaited')).status, 201);
});

test('a process that is behind is polled until it knows the new life', async () => {
  const bucket = await leases();
  const requested: string[] = [];
  const subscription = plane.nc.subscribe(subjects.lifeView('slow'), {
    callback: (_error, message) => {
      requested.push(message.string());
      message.respond(requested.length < 3 ? 'behind' : 'known');
    },
  });
  await bucket.put(leaseKeys('view').worker('slow'), 'slow');
  await put('slowly');
  await remove('slowly');
  assert.equal((await put('slowly')).status, 201);
  subscription.unsubscribe();
  await bucket.delete(leaseKeys('view').worker('slow'));
  assert.deepEqual(requested, ['slowly=1', 'slowly=1', 'slowly=1']);
});

test('a removal that crashes is completed, and a late one does not affect the next life', async () => {
  const { events } = historyOf(plane.db);
  const { tenantPurges } = configurationOf(plane.db);
  await put('late');
  await remove('late');
  await put('late');
  await waitUntil(async () => {
    const mark = await tenantPurges.findOne({ _id: 'late' });
    return mark?.next_at !== undefined;
  });
  const at = new Date(0);
  const event = (tenant: string) => ({ _id: `${tenant}/e1`, tenant, id: 'e1', accepted_at: at });
  await events.insertMany([event('late'), event('late=1')]);
  await plane.payloads.put('late/pay_1', Buffer.from('old'), 'text/plain');
  await plane.payloads.put('late=1/pay_1', Buffer.from('new'), 'text/plain');
  for (const id of ['late', 'late=1']) {
    await jetstream(plane.nc).publish(subjects.rejected(id), id);
    await jetstream(plane.nc).publish(subjects.held(id, 'ep_1'), id);
    await jetstream(plane.nc).publish(subjects.waiting(id, 'ep_1', 'dlv_1'), id);
  }
  await tenantPurges.updateOne({ _id: 'late' }, { $unset: { next_at: '' } });
  const crashing = makePurger(plane, {
    payloads: { removeOf: () => Promise.reject(new Crash()) },
  });
  crashing.wake();
  await crashing.stop();
  const stopped = makePurger(plane);
  stopped.wake();
  await stopped.stop();
  await waitUntil(async () => (await events.countDocuments({ tenant: 'late' })) === 0);
  assert.equal(await events.countDocuments({ tenant: 'late=1' }), 1);
  assert.equal(await plane.payloads.size('late/pay_1'), undefined);
  assert.equal(await plane.payloads.size('late=1/pay_1'), 3);
  const jsm = await jetstreamManager(plane.nc);
  const left = async (stream: string): Promise<string[]> => {
    const { state } = await jsm.streams.info(stream, { subjects_filter: '>' });
    return Object.keys(state.subjects ?? {}).filter((subject) => subject.includes('.late'));
  };
  assert.deepEqual(await left(streams.rejected), [subjects.rejected('late=1')]);
  assert.deepEqual(
    new Set(await left(streams.deliveries(0))),
    new Set([subjects.held('late=1', 'ep_1'), subjects.waiting('late=1', 'ep_1', 'dlv_1')]),
  );
});

test('a mark of a version without lives does not remove a tenant that this version created again', async () => {
  const { events } = historyOf(plane.db);
  const { tenantPurges } = configurationOf(plane.db);
  await put('legacy');
  const at = new Date();
  await events.insertOne({ _id: 'legacy/e1', tenant: 'legacy', id: 'e1', accepted_at: at });
  await tenantPurges.insertOne({ _id: 'legacy', deleted_at: at });
  const one = makePurger(plane);
  one.wake();
  await one.stop();
  await waitUntil(async () => (await tenantPurges.countDocuments({ _id: 'legacy' })) === 0);
  assert.equal(await events.countDocuments({ tenant: 'legacy' }), 1);
});

test('a tenant that a version without tombstones deleted does not begin its first life again', async () => {
  const { events } = historyOf(plane.db);
  await events.insertOne({
    _id: 'ghost/e1',
    tenant: 'ghost',
    id: 'e1',
    accepted_at: new Date(),
    seq: 1,
  });
  assert.equal((await put('ghost')).status, 201);
  assert.equal((await snapshotOf('ghost', 1)).life, 1);
  const { body } = await plane.call('GET', '/v1/tenants/ghost/events');
  assert.deepEqual(body.data, []);
});

test('rejects ids of endpoints, subscriptions and keys that a caller chooses', async () => {
  await put('chooser');
  const path = '/v1/tenants/chooser';
  const url = 'https://example.com/hook';
  const made = await plane.call('POST', `${path}/endpoints`, { url });
  assert.equal(made.status, 201);
  const { id } = made.body as { id: string };
  for (const [target, body] of [
    [`${path}/endpoints`, { url: `${url}/2`, id }],
    [`${path}/subscriptions`, { endpoint_id: id, id: 'sub_1' }],
    ['/v1/keys', { scope: 'tenant', tenant_id: 'chooser', id: 'key_1' }],
    ['/v1/keys', { scope: 'tenant', tenant_id: 'chooser', key: 'phk_t_mine' }],
  ] as const) {
    const refused = await plane.call('POST', target, body);
    assert.equal(refused.status, 400, `${target} ${JSON.stringify(body)}`);
  }
  assert.equal((await plane.call('PUT', `${path}/endpoints/${id}`, { url })).status, 405);
});

test('a tenant that is deleted while its creation waits is not answered as created', async () => {
  const bucket = await leases();
  const key = leaseKeys('view').worker('witness');
  const subscription = plane.nc.subscribe(subjects.lifeView('witness'), {
    callback: (_error, message) => void message.respond('behind'),
  });
  await bucket.put(key, 'witness');
  const heart = setInterval(() => void bucket.put(key, 'witness'), 500);
  await put('brief');
  await remove('brief');
  try {
    const creation = tenants().put('brief', {}, undefined);
    creation.catch(() => undefined);
    await waitUntil(async () => (await documentOf('brief'))?.life === 1);
    await remove('brief');
    await assert.rejects(
      creation,
      (error) => error instanceof PosthornError && error.code === 'POSTHORN_TENANT_NOT_READY',
    );
  } finally {
    clearInterval(heart);
    subscription.unsubscribe();
    await bucket.delete(key);
  }
});

/** A body of which nothing comes until `send` is called. */
function heldBody(json: object): { body: Readable; send: () => void } {
  const body = new Readable({ read: () => undefined });
  return {
    body,
    send() {
      body.push(JSON.stringify(json));
      body.push(null);
    },
  };
}

test('rejects a body with POSTHORN_KEY_INVALID when its tenant was created again before it arrives', async () => {
  await put('patient');
  const made = await plane.call('POST', '/v1/keys', { scope: 'tenant', tenant_id: 'patient' });
  const { body, send } = heldBody({ url: 'https://example.com/of-the-first-life' });
  const authorization = `Bearer ${made.body.key}`;
  await waitUntil(
    async () =>
      (await plane.call('GET', '/v1/tenants/patient', undefined, { key: made.body.key })).status ===
      200,
  );
  const answer = plane.app.inject({
    method: 'POST',
    url: '/v1/tenants/patient/endpoints',
    headers: { authorization, 'content-type': 'application/json' },
    payload: body,
  });
  const answered = answer.then(({ body: text, statusCode }) => ({ text, statusCode }));
  // The key has been accepted once the body is asked for.
  await waitUntil(() => body.readableFlowing !== null);
  await remove('patient');
  await put('patient');
  send();
  const { statusCode, text } = await answered;
  assert.equal(statusCode, 401, text);
  const endpoints = await plane.call('GET', '/v1/tenants/patient/endpoints');
  assert.deepEqual(endpoints.body.data, []);
});

test('rejects a change with POSTHORN_TENANT_UNKNOWN when its turn comes in the next life', async () => {
  await put('queued');
  const turn = Promise.withResolvers<void>();
  let isWaiting = false;
  const change = changeTenant(
    {
      mongo: plane.mongo,
      configuration: configurationOf(plane.db),
      publish: async () => undefined,
      clock: systemClock,
      turns: {
        async run(_key, work) {
          isWaiting = true;
          await turn.promise;
          return work();
        },
      },
    },
    'queued',
    () => assert.fail('the change reached the next life'),
  );
  change.catch(() => undefined);
  await waitUntil(() => isWaiting);
  await remove('queued');
  await put('queued');
  turn.resolve();
  await assert.rejects(
    change,
    (error) => error instanceof PosthornError && error.code === 'POSTHORN_TENANT_UNKNOWN',
  );
});

test('an answer stored under an Idempotency-Key is not repeated in the next life', async () => {
  await put('repeated');
  const headers = { 'idempotency-key': 'make-it-once' };
  const newKey = { scope: 'tenant', tenant_id: 'repeated' };
  const newEndpoint = { url: 'https://example.com/hook' };
  const makeKey = () => plane.call('POST', '/v1/keys', newKey, { headers });
  const path = '/v1/tenants/repeated/endpoints';
  const makeEndpoint = () => plane.call('POST', path, newEndpoint, { headers });
  const first = [await makeKey(), await makeEndpoint()];
  const same = [await makeKey(), await makeEndpoint()];
  assert.deepEqual(
    same.map(({ body }) => body.id),
    first.map(({ body }) => body.id),
  );
  await remove('repeated');
  await put('repeated');
  const next = [await makeKey(), await makeEndpoint()];
  for (const [i, answer] of next.entries()) {
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.headers['idempotency-replayed'], undefined);
    assert.notEqual(answer.body.id, first[i]?.body.id);
  }
});

test('an event type that is registered again has its own formula', async () => {
  const path = '/v1/event-types/reborn.type';
  const settings = { deduplication: { fields: ['source'], window_seconds: 60 } };
  type Snapshot = { rev: number; deduplication?: { bornAt?: number } };
  const snapshot = (rev: number) =>
    configValue<Snapshot>(plane.kv, 'type.reborn.type', (known) => known.rev === rev);
  const made = await plane.call('PUT', path, settings);
  const first = (await snapshot(made.body.revision)).deduplication?.bornAt;
  assert.equal((await plane.call('DELETE', path)).status, 204);
  const again = await plane.call('PUT', path, settings);
  const { bornAt } = (await snapshot(again.body.revision)).deduplication ?? {};
  assert.ok(bornAt !== undefined && bornAt !== first);
  const changed = await plane.call('PUT', path, { ...settings, description: 'the same type' });
  assert.equal((await snapshot(changed.body.revision)).deduplication?.bornAt, bornAt);
});
