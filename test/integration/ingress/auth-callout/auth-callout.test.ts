/** Producers log in to NATS with their API keys, and may only publish there (IN-4). */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { AccountKey, newAccountSeed } from '#src/ingress/auth-callout/account-key.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { IngressPlane } from '../ingress-plane.ts';

interface Door {
  plane: IngressPlane;
  /** A producer's connection, closed with the test. */
  dial: (key: string, options?: Parameters<typeof connect>[0]) => Promise<NatsConnection>;
}

async function openDoor(t: TestContext): Promise<Door> {
  const seed = newAccountSeed();
  const issuer = new AccountKey(seed).publicKey;
  const plane = await IngressPlane.start(t, {
    settings: { natsAuthSeed: seed },
    access: { user: 'posthorn', password: 'secret0123', issuer },
  });
  const { url } = plane.core.server;
  return {
    plane,
    async dial(key, options = {}) {
      const nc = await connect({ servers: url, token: key, reconnect: false, ...options });
      t.after(() => nc.close());
      return nc;
    },
  };
}

async function publish(nc: NatsConnection, subject: string): Promise<string> {
  try {
    const reply = await nc.request(subject, '{"a":1}', { timeout: 5000 });
    return reply.json<{ status: string }>().status;
  } catch (error) {
    const { name, cause } = error as Error;
    return cause instanceof Error ? cause.name : name;
  }
}

/** The platform subscribes to the subjects to which a producer tries to publish. */
async function reaches(door: Door, nc: NatsConnection, subject: string): Promise<boolean> {
  let seen = false;
  const tap = door.plane.core.nc.subscribe(subject, {
    callback: () => {
      seen = true;
    },
  });
  await door.plane.core.nc.flush();
  nc.publish(subject, 'x');
  // The first flush brings the message to the server, the second to the platform, if permitted.
  await nc.flush();
  await door.plane.core.nc.flush();
  tap.unsubscribe();
  return seen;
}

test('a producer bound to a tenant publishes to it and to no other', async (t) => {
  const door = await openDoor(t);
  await door.plane.tenant('globex');
  await door.plane.key('bound', 'producer', { tenant: 'acme' });
  const nc = await door.dial('bound', { inboxPrefix: '_INBOX_key_bound' });
  assert.equal(await publish(nc, 'in.acme.order.created'), 'accepted');
  assert.equal(await publish(nc, 'in.globex.order.created'), 'PermissionViolationError');
  assert.equal((await door.plane.stored()).length, 1);
});

test('a key is accepted as the password too, and a key for every tenant reaches every tenant', async (t) => {
  const door = await openDoor(t);
  await door.plane.tenant('globex');
  await door.plane.key('free', 'producer');
  const nc = await connect({
    servers: door.plane.core.server.url,
    user: 'shop',
    pass: 'free',
    inboxPrefix: '_INBOX_key_free',
  });
  t.after(() => nc.close());
  assert.equal(await publish(nc, 'in.acme.order.created'), 'accepted');
  assert.equal(await publish(nc, 'in.globex.order.created'), 'accepted');
});

test('a producer can publish to no other subject and receive no other messages', async (t) => {
  const door = await openDoor(t);
  await door.plane.key('free', 'producer');
  const inbox = { inboxPrefix: '_INBOX_key_free' };
  const forbidden = [
    'ev.1.acme.order.created',
    'dlv.1.s.acme.ep_1',
    '$JS.API.STREAM.DELETE.EV-0',
    '$KV.CONFIG.tenant.acme',
    '$SYS.REQ.USER.AUTH',
    '_INBOX_key_other.x',
  ];
  for (const subject of forbidden) {
    const nc = await door.dial('free', inbox);
    assert.equal(await reaches(door, nc, subject), false, subject);
  }
  for (const subject of ['>', 'ev.>', 'in.>', '_INBOX.>', '_INBOX_key_other.>', '$SYS.>']) {
    const nc = await door.dial('free', inbox);
    const reported = new Promise<Error | undefined>((resolve) => {
      nc.subscribe(subject, { callback: (error) => resolve(error ?? undefined) });
    });
    assert.equal((await reported)?.name, 'PermissionViolationError', subject);
  }
  const streams = await door.plane.core.jsm.streams.info('EV-0');
  assert.equal(streams.state.messages, 0);
});

test('rejects wrong keys, tenant keys and no key, and revoked keys at the next connect', async (t) => {
  const door = await openDoor(t);
  await door.plane.key('of-tenant', 'tenant', { tenant: 'acme' });
  await door.plane.key('short', 'producer');
  const refused = { name: 'AuthorizationError' };
  await assert.rejects(door.dial('no-such-key'), refused);
  await assert.rejects(door.dial('of-tenant'), refused);
  await assert.rejects(connect({ servers: door.plane.core.server.url, reconnect: false }), refused);
  const nc = await door.dial('short', { inboxPrefix: '_INBOX_key_short' });
  assert.equal(await publish(nc, 'in.acme.a.b'), 'accepted');
  await door.plane.revokeKey('short');
  await assert.rejects(door.dial('short'), refused);
});

test('a connection closes when its key ends', async (t) => {
  const door = await openDoor(t);
  // Long enough to connect and publish.
  const expiresAtMs = Date.now() + 8000;
  await door.plane.key('brief', 'producer', { expiresAtMs });
  const nc = await door.dial('brief', { inboxPrefix: '_INBOX_key_brief' });
  assert.equal(await publish(nc, 'in.acme.a.b'), 'accepted');
  await waitUntil(() => nc.isClosed(), { what: 'the connection closed', deadlineMs: 30_000 });
});

test('rejects publishes of a connection from an earlier life of the tenant', async (t) => {
  const door = await openDoor(t);
  const { plane } = door;
  await plane.key('old', 'producer', { tenant: 'acme' });
  const old = await door.dial('old', { inboxPrefix: '_INBOX_key_old' });
  assert.equal(await publish(old, 'in.acme.order.created'), 'accepted');
  // Deleted and created again: its keys are revoked, and connections remain.
  await plane.tenant('acme', { life: 1 });
  await waitUntil(() => plane.config.currentTenant('acme')?.life === 1);
  await plane.revokeKey('old');
  const refused = await old.request('in.acme.order.created', '{"a":2}', { timeout: 5000 });
  assert.equal(refused.json<{ code: string }>().code, 'POSTHORN_KEY_INVALID');
  old.publish('in.acme.order.created', '{"a":3}');
  old.publish('in.acme.order.created', '{"a":4}', { reply: '_INBOX_key_forged.1' });
  await plane.key('new', 'producer', { tenant: 'acme', life: 1 });
  await plane.key('other', 'producer', { tenant: 'globex', life: 1 });
  // The key of another tenant, with the same number of life.
  old.publish('in.acme.order.created', '{"a":5}', { reply: '_INBOX_key_other.1' });
  await old.flush();
  const fresh = await door.dial('new', { inboxPrefix: '_INBOX_key_new' });
  assert.equal(await publish(fresh, 'in.acme.order.created'), 'accepted');
  const lives = (await plane.stored()).map(({ subject }) => subject.split('.')[2]);
  assert.deepEqual(lives, ['acme', 'acme=1']);
});

test('a producer key that is bound to no tenant publishes to a tenant that was created again', async (t) => {
  const door = await openDoor(t);
  await door.plane.key('free', 'producer');
  const nc = await door.dial('free', { inboxPrefix: '_INBOX_key_free' });
  await door.plane.tenant('acme', { life: 1 });
  await waitUntil(() => door.plane.config.currentTenant('acme')?.life === 1);
  assert.equal(await publish(nc, 'in.acme.order.created'), 'accepted');
});
