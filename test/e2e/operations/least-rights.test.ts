/**
 * Every role in a process of its own, with a user of NATS that has the rights of the role and no
 * other (SE-3).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Role } from '#config/schema.ts';
import { isRightMissing } from '#infra/nats/api-errors.ts';
import { type NatsUser, natsUsers } from '#infra/nats/access/role-permissions.ts';
import { AccountKey, newAccountSeed } from '#src/ingress/auth-callout/account-key.ts';
import { makeTenants } from '#testkit/make-tenants.ts';
import { type System, startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { inboxPrefixOf } from '#wire/subjects.ts';
import { type RoleBroker, startRoleBroker } from './role-broker.ts';
import { replayDeadLetters } from '../replay-all.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const SHARDS = 2;
const DEADLINE_MS = 60_000;

let broker: RoleBroker;
let system: System;
let receiver: WebhookReceiver;

before(async (context) => {
  const t = context as TestContext;
  const seed = newAccountSeed();
  broker = await startRoleBroker(t, SHARDS, new AccountKey(seed).publicKey);
  receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  const settings = {
    POSTHORN_SHARDS: String(SHARDS),
    POSTHORN_NATS_AUTH_SEED: seed,
    POSTHORN_OPERATOR_TENANT: 'operator',
    POSTHORN_ENDPOINT_IN_FLIGHT_MAX: '8',
  };
  system = await startSystem([['ingress'], ['router'], ['delivery'], ['control']], settings, {
    natsUrl: broker.url,
    settingsOf: ([role]) => broker.loginOf(role as Exclude<Role, 'probe'>),
  });
});
after(() => system.stop());

/** Sends a request to the API, and checks the class of its status. */
async function ok(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await system.api(method, path, body);
  assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body as Record<string, unknown>;
}

/** Creates an endpoint of `acme` for one event type; returns its path in the API. */
async function endpoint(type: string, more: object = {}): Promise<string> {
  const url = receiver.url(`/${type}`);
  const made = await ok('POST', '/v1/tenants/acme/endpoints', {
    url,
    event_types: [type],
    ...more,
  });
  return `/v1/tenants/acme/endpoints/${String(made['id'])}`;
}

const publish = (type: string, more: object = {}): Promise<Record<string, unknown>> =>
  ok('POST', '/v1/tenants/acme/events', { type, data: {}, ...more });

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  await waitUntil(condition, { what, deadlineMs: DEADLINE_MS, intervalMs: 100 });
}

test('migrate creates and changes all streams when it has the rights of its role', async () => {
  const env = {
    POSTHORN_NATS_URL: broker.url,
    POSTHORN_MONGODB_URL: system.mongodUrl,
    POSTHORN_SHARDS: String(SHARDS),
    ...broker.loginOf('migrate'),
  };
  // Streams with another age than that of the processes, and then as before.
  for (const changes of [{ POSTHORN_EVENT_RETENTION_SECONDS: '500000' }, {}]) {
    const options = { env: { ...env, ...changes } };
    await promisify(execFile)(process.execPath, [MAIN, 'migrate'], options);
  }
  assert.deepEqual(broker.violations(), []);
});

test('every role does its work with the rights of its role', { timeout: 400_000 }, async (t) => {
  for (const tenant of ['acme', 'operator']) await ok('PUT', `/v1/tenants/${tenant}`, {});
  await t.test('plain, by reference, and large', async () => {
    await endpoint('plain');
    await publish('plain');
    await publish('plain', { data: { text: 'x'.repeat(100_000) } });
    await publish('plain', { id: 'large', data: { text: 'x'.repeat(3_000_000) } });
    await receiver.waitFor(3, '/plain', DEADLINE_MS);
    await until('the history', async () => {
      const { status } = await system.api('GET', '/v1/tenants/acme/events/large');
      return status === 200;
    });
    const again = { type: 'plain', id: 'large', data: { text: 'x'.repeat(3_000_000) } };
    await ok('POST', '/v1/tenants/acme/events', again);
  });
  await t.test('retries, dead letters and their replay', async () => {
    receiver.on('/failing', (_request, nth) => ({ status: nth <= 2 ? 500 : 200 }));
    await endpoint('failing', { retry: { delays_seconds: [1] } });
    await publish('failing');
    await until('a dead letter', async () => {
      const { data } = await ok('GET', '/v1/tenants/acme/dead-letters');
      return (data as object[]).length === 1;
    });
    const api = async (method: string, path: string, body?: object) => ({
      status: 200,
      body: await ok(method, path, body),
    });
    assert.equal(await replayDeadLetters(api, 'acme'), 1);
    await receiver.waitFor(3, '/failing', DEADLINE_MS);
  });
  await t.test('held and released', async () => {
    const path = await endpoint('held');
    await ok('PATCH', path, { status: 'paused' });
    await publish('held');
    await until('held', async () => {
      const { health } = await ok('GET', path);
      return (health as { held_count: number }).held_count === 1;
    });
    await ok('PATCH', path, { status: 'active' });
    await receiver.waitFor(1, '/held', DEADLINE_MS);
  });
  await t.test('ordered', async () => {
    receiver.on('/ordered', (_request, nth) => ({ status: nth === 1 ? 500 : 200 }));
    const path = await endpoint('ordered', { ordered: true, retry: { delays_seconds: [1, 1, 1] } });
    for (const id of ['o1', 'o2', 'o3']) await publish('ordered', { id });
    await receiver.waitFor(4, '/ordered', DEADLINE_MS);
    await ok('DELETE', path);
  });
  await t.test('equal by the formula of their type', async () => {
    const formula = { deduplication: { fields: ['source'], window_seconds: 60 } };
    await ok('PUT', '/v1/event-types/equal', formula);
    await endpoint('equal');
    for (const source of ['/a', '/a']) await publish('equal', { source });
    await receiver.waitFor(1, '/equal', DEADLINE_MS);
  });
  await t.test('to every tenant', async () => {
    await endpoint('broadcast');
    const { id } = await ok('POST', '/v1/events', { type: 'broadcast', data: {} });
    await receiver.waitFor(1, '/broadcast', DEADLINE_MS);
    await until('the broadcast is done', async () => {
      const { status } = await ok('GET', `/v1/broadcasts/${String(id)}`);
      return status === 'done';
    });
  });
  await t.test('over NATS, accepted and rejected', async () => {
    await endpoint('by-nats');
    const made = await ok('POST', '/v1/keys', { scope: 'producer', tenant_id: 'acme' });
    const nc = await connect({
      servers: broker.url,
      token: String(made['key']),
      inboxPrefix: `_INBOX_${String(made['id'])}`,
    });
    const answer = await nc.request('in.acme.by-nats', '{"data":{}}', { timeout: 10_000 });
    assert.match(answer.string(), /accepted/);
    nc.publish('in.acme.by-nats', 'not JSON');
    await nc.drain();
    await receiver.waitFor(1, '/by-nats', DEADLINE_MS);
    await until('a rejected event', async () => {
      const { data } = await ok('GET', '/v1/tenants/acme/rejected-events');
      return (data as object[]).length === 1;
    });
  });
  await t.test('a tenant with a lane of its own', async () => {
    await makeTenants(system, receiver, 1);
    receiver.on('/t0', { delayMs: 50, status: 200 });
    const events = Array.from({ length: 500 }, (_, i) => ({ id: `l${i}`, type: 'a.b', data: {} }));
    await ok('POST', '/v1/tenants/t0/events/batch', { events });
    await until('a lane', async () => {
      const text = await (await fetch(`${system.with('delivery').opsUrl}/metrics`)).text();
      return /^posthorn_delivery_lanes\{[^}]*state="active"\} 1$/m.test(text);
    });
    await receiver.waitFor(500, '/t0', DEADLINE_MS);
  });
  await t.test('to a poller, with numbers', async () => {
    const event_types = ['polled'];
    const fields = { kind: 'poll', sequenced: true, event_types };
    const made = await ok('POST', '/v1/tenants/acme/endpoints', fields);
    const path = `/v1/tenants/acme/endpoints/${String(made['id'])}`;
    await publish('polled');
    const { data } = await ok('GET', `${path}/poll?wait_seconds=30`);
    const [leased] = data as { lease_id: string; sequence: number }[];
    assert.equal(leased?.sequence, 1);
    const lease_ids = [leased.lease_id];
    await ok('POST', `${path}/extend`, { lease_ids });
    await ok('POST', `${path}/commit`, { lease_ids });
    assert.equal((await ok('GET', `${path}/reconcile`))['last_sequence'], 1);
  });
  await t.test('another life of a tenant', async () => {
    await ok('DELETE', '/v1/tenants/acme');
    await until('the tenant can be created again', async () => {
      const { status } = await system.api('PUT', '/v1/tenants/acme', {});
      return status < 300;
    });
    await endpoint('reborn');
    await publish('reborn');
    await receiver.waitFor(1, '/reborn', DEADLINE_MS);
  });
  for (const role of ['router', 'delivery'] as const) {
    await t.test(`another process takes over from a killed ${role}`, async () => {
      await system.with(role).kill('SIGKILL');
      await system.with(role).restart();
      const before = receiver.at('/reborn').length;
      await publish('reborn');
      await receiver.waitFor(before + 1, '/reborn', DEADLINE_MS);
    });
  }
  assert.deepEqual(broker.violations(), []);
});

/** A connection with the rights of a user, and what the server refuses it. */
async function as(
  t: TestContext,
  user: NatsUser,
): Promise<{ nc: NatsConnection; refused: (subject: string) => Promise<void> }> {
  const { POSTHORN_NATS_USER: name, POSTHORN_NATS_PASSWORD: pass } = broker.loginOf(user);
  const inboxPrefix = inboxPrefixOf([user]);
  const nc = await connect({ servers: broker.url, user: name, pass, inboxPrefix });
  t.after(() => nc.close());
  const refused = async (subject: string): Promise<void> => {
    await assert.rejects(
      nc.request(subject, '', { timeout: 10_000 }),
      isRightMissing,
      `${user} may publish to ${subject}`,
    );
  };
  return { nc, refused };
}

const API = '$JS.API';
/** Subjects of requests that the server refuses each user. */
const forbidden: Record<NatsUser, string[]> = {
  ingress: [
    'dlv.0.s.acme.ep_1',
    'dlq.0.acme.ep_1',
    'att.0',
    '$KV.CONFIG.tenant.acme',
    '$KV.LEASES.router.shard.0',
    `${API}.CONSUMER.MSG.NEXT.DLV-0.deliver-shared`,
    `${API}.CONSUMER.MSG.NEXT.EV-0.router`,
    `${API}.CONSUMER.CREATE.DLV-0.spy`,
    `${API}.STREAM.MSG.GET.DLV-0`,
    `${API}.DIRECT.GET.DLV-0`,
    `${API}.DIRECT.GET.DLV-0.dlv.0.s.acme.ep_1`,
    `${API}.STREAM.UPDATE.EV-0`,
    `${API}.STREAM.DELETE.EV-0`,
    `${API}.STREAM.PURGE.EV-0`,
    `${API}.STREAM.CREATE.SPY`,
    'view.req_1',
  ],
  router: [
    'dlq.0.acme.ep_1',
    'dup.0.acme.1',
    '$KV.CONFIG.tenant.acme',
    '$KV.LEASES.delivery.shard.0',
    '$KV.ORDERED.acme.ep_1',
    `${API}.CONSUMER.MSG.NEXT.DLV-0.deliver-shared`,
    `${API}.CONSUMER.MSG.NEXT.EV-0.projector`,
    `${API}.CONSUMER.CREATE.DLV-0.spy`,
    `${API}.STREAM.MSG.DELETE.DLV-0`,
    `${API}.STREAM.PURGE.DLV-0`,
    `${API}.STREAM.MSG.GET.DLQ`,
    `${API}.STREAM.UPDATE.DLV-0`,
    `${API}.STREAM.DELETE.DLV-0`,
  ],
  delivery: [
    'ev.0.acme.a.b',
    'bc.event.b1',
    '$KV.CONFIG.tenant.acme',
    '$KV.LEASES.router.shard.0',
    `${API}.CONSUMER.MSG.NEXT.EV-0.router`,
    `${API}.CONSUMER.MSG.NEXT.ATT-0.projector`,
    `${API}.CONSUMER.CREATE.EV-0.spy`,
    `${API}.STREAM.UPDATE.DLV-0`,
    `${API}.STREAM.DELETE.DLV-0`,
    `${API}.STREAM.PURGE.DLV-0`,
  ],
  control: [
    '$KV.LEASES.router.shard.0',
    '$KV.LEASES.delivery.shard.0',
    `${API}.CONSUMER.MSG.NEXT.EV-0.router`,
    `${API}.CONSUMER.MSG.NEXT.DLV-0.deliver-shared`,
    `${API}.CONSUMER.CREATE.DLV-0.spy`,
    `${API}.STREAM.DELETE.EV-0`,
    `${API}.STREAM.CREATE.SPY`,
  ],
  migrate: [
    'ev.0.acme.a.b',
    'dlv.0.s.acme.ep_1',
    '$KV.CONFIG.tenant.acme',
    `${API}.CONSUMER.MSG.NEXT.EV-0.router`,
    `${API}.STREAM.MSG.GET.EV-0`,
    `${API}.DIRECT.GET.KV_CONFIG`,
    `${API}.STREAM.DELETE.EV-0`,
    `${API}.STREAM.PURGE.EV-0`,
  ],
};
for (const user of natsUsers) {
  test(`the server refuses ${user} what its role does not do`, async (t) => {
    const { nc, refused } = await as(t, user);
    for (const subject of forbidden[user]) await refused(subject);
    const subscriptions = ['>', '_INBOX.>', 'ev.>', 'dlv.>'];
    subscriptions.push(
      ...natsUsers.filter((one) => one !== user).map((one) => `${inboxPrefixOf([one])}.>`),
    );
    for (const subject of subscriptions) {
      const error = await new Promise((resolve) => {
        nc.subscribe(subject, { callback: (fault) => resolve(fault) });
      });
      assert.ok(isRightMissing(error), `${user} may hear ${subject}`);
    }
  });
}

test('a role keeps a stream of another version when its user may not change streams', async (t) => {
  const { nc } = await as(t, 'control');
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const changed = 3_600_000_000_000;
  await jsm.streams.update('EV-0', { max_age: changed });
  await system.with('router').kill('SIGKILL');
  await system.with('router').restart();
  assert.equal((await jsm.streams.info('EV-0')).config.max_age, changed);
});
