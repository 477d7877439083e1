/** A router process that is killed (SIGKILL) while a tenant is behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { readBehind } from '#infra/nats/stores/behind-store.ts';
import { startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

/** Above a tenant's share of the window. */
const EVENTS = 3000;
const BATCH = 500;
const LAYOUT = [['ingress', 'control'], ['router'], ['delivery']] as const;
/** Under a millisecond for each event. */
const EXPENSIVE = { 'data.text': { $regex: '[ab]*a[ab]{900}c' } };
const TEXT = 'ab'.repeat(100);
const PATIENT = { deadlineMs: 120_000 };

test('each event of a tenant that is behind arrives once when the router is killed, and another tenant does not wait', async (t) => {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  const system = await startSystem(LAYOUT, { POSTHORN_SHARDS: '1' });
  t.after(() => system.stop());
  const nc = await connect({ servers: system.natsUrl });
  t.after(() => nc.close());
  const jsm = await jetstreamManager(nc);
  const create = async (path: string, body: unknown): Promise<string> => {
    const made = await system.api('POST', `/v1/tenants/${path}`, body);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return (made.body as { id: string }).id;
  };
  for (const tenant of ['acme', 'beta']) {
    await system.api('PUT', `/v1/tenants/${tenant}`, {});
    await create(`${tenant}/endpoints`, { url: receiver.url(`/${tenant}`) });
  }
  const endpoint_id = await create('acme/endpoints', {
    url: receiver.url('/never'),
    event_types: [],
  });
  await create('acme/subscriptions', { endpoint_id, event_types: ['*'], filter: EXPENSIVE });
  const router = system.with('router');
  await router.kill('SIGKILL');
  for (let from = 0; from < EVENTS; from += BATCH) {
    const events = Array.from({ length: BATCH }, (_, i) => ({
      type: 'step.made',
      id: `e${from + i}`,
      data: { text: TEXT },
    }));
    const { status } = await system.api('POST', '/v1/tenants/acme/events/batch', { events });
    assert.equal(status, 202);
  }
  await system.api('POST', '/v1/tenants/beta/events', { type: 'step.made', id: 'b1', data: {} });
  await router.restart();
  const routedTo = async (): Promise<number | undefined> =>
    (await readBehind(jsm, 0))?.state?.tenants['acme']?.from;
  await waitUntil(routedTo, { what: 'acme is behind', ...PATIENT });
  await router.kill('SIGKILL');
  await router.restart();
  await waitUntil(() => receiver.at('/beta').length === 1, { what: 'beta', ...PATIENT });
  assert.ok(receiver.at('/acme').length < EVENTS, 'beta waited for all events of acme');
  const ids = (): string[] => receiver.at('/acme').map(({ headers }) => `${headers['webhook-id']}`);
  await waitUntil(() => new Set(ids()).size === EVENTS, { what: 'all arrive', ...PATIENT });
  await waitUntil(async () => (await routedTo()) === undefined, {
    what: 'acme caught up',
    ...PATIENT,
  });
  assert.equal(ids().length, EVENTS);
  assert.equal(receiver.at('/never').length, 0);
});
