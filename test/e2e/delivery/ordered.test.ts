/** Order across kill -9 of router and worker, two of each, with failing receivers (DL-16). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { type System, startSystem } from '#testkit/system.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { type LeaseKind, shardOf } from '#wire/subjects.ts';
import { Census } from '../../chaos/census.ts';
import { seededRandom } from '../../chaos/seeded-random.ts';

const SHARDS = 2;
const EVENTS = 60;
const TENANTS = ['t1', 't2', 't3', 't4'];
const LAYOUT = [
  ['ingress', 'control'],
  ['router'],
  ['router'],
  ['delivery'],
  ['delivery'],
] as const;

async function killOwner(system: System, census: Census, kind: LeaseKind): Promise<void> {
  const shard = shardOf(TENANTS[0] as string, SHARDS);
  const owner = await waitUntil(
    async () => {
      const pid = await census.ownerOf(kind, shard);
      return system.processes.find(({ process }) => process.pid === pid);
    },
    { what: `a ${kind} that owns the shard` },
  );
  await owner.kill('SIGKILL');
  await owner.restart();
}

async function publishAll(system: System, tenant: string): Promise<void> {
  for (let i = 0; i < EVENTS; i++) {
    const event = { type: 'step.made', id: `${tenant}-${i}`, data: { step: i } };
    await waitUntil(
      async () => {
        const { status } = await system.api('POST', `/v1/tenants/${tenant}/events`, event);
        return status === 202;
      },
      { what: 'an event is accepted', deadlineMs: 30_000 },
    );
  }
}

test('each endpoint gets its events in order when busy routers and workers are killed', async (t) => {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  const system = await startSystem(LAYOUT, { POSTHORN_SHARDS: String(SHARDS) });
  t.after(() => system.stop());
  const census = await Census.open(system.natsUrl);
  t.after(() => census.close());
  const random = seededRandom(11);
  const accepted = new Map<string, number[]>();
  for (const tenant of TENANTS) {
    const path = `/${tenant}`;
    const got: number[] = [];
    accepted.set(tenant, got);
    receiver.on(path, ({ headers }) => {
      if (random() < 0.06) return { status: 500 };
      got.push(Number(headers['webhook-id']?.split('-')[1]));
      return { status: 200 };
    });
    await system.api('PUT', `/v1/tenants/${tenant}`, {});
    const made = await system.api('POST', `/v1/tenants/${tenant}/endpoints`, {
      url: receiver.url(path),
      ordered: true,
      retry: { delays_seconds: Array.from({ length: 20 }, () => 1) },
    });
    assert.equal(made.status, 201, JSON.stringify(made.body));
  }
  const publishing = Promise.all(TENANTS.map((tenant) => publishAll(system, tenant)));
  const first = accepted.get(TENANTS[0] as string) as number[];
  for (const [index, kind] of (['delivery', 'router', 'delivery'] as const).entries()) {
    await waitUntil(() => first.length > 5 * (index + 1), {
      what: 'webhooks arrive',
      deadlineMs: 60_000,
    });
    await killOwner(system, census, kind);
  }
  await publishing;
  await waitUntil(() => [...accepted.values()].every((got) => got.at(-1) === EVENTS - 1), {
    what: 'the last event of each arrived',
    deadlineMs: 120_000,
  });
  const all = Array.from({ length: EVENTS }, (_, i) => i);
  for (const [tenant, got] of accepted) {
    // Each at least once, and none again after a later one: only the last one may be repeated.
    assert.deepEqual([...new Set(got)], all, tenant);
    assert.deepEqual(
      got,
      got.toSorted((a, b) => a - b),
      tenant,
    );
    assert.ok(got.length <= EVENTS + 4, `${got.length - EVENTS} repeats for ${tenant}`);
  }
});

interface Listed {
  data: { id: string; event_id: string; status: string; reason: string | null }[];
}

test('the API retries and cancels the first delivery of a blocked endpoint', async (t) => {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  const system = await startSystem([['ingress', 'router', 'delivery', 'control']]);
  t.after(() => system.stop());
  let bad = new Set(['e0', 'e1']);
  receiver.on('/hook', ({ headers }) => ({
    status: bad.has(headers['webhook-id'] ?? '') ? 500 : 200,
  }));
  await system.api('PUT', '/v1/tenants/acme', {});
  const policies = { ordered: true, on_exhausted: 'block', retry: { delays_seconds: [1] } };
  const url = receiver.url('/hook');
  await system.api('POST', '/v1/tenants/acme/endpoints', { url, ...policies });
  for (const id of ['e0', 'e1', 'e2']) {
    const event = { type: 'step.made', id, data: {} };
    await system.api('POST', '/v1/tenants/acme/events', event);
  }
  const path = '/v1/tenants/acme/deliveries';
  const delivery = (event: string, fits: (one: Listed['data'][number]) => boolean) =>
    waitUntil(
      async () => {
        const { body } = await system.api('GET', path);
        return (body as Listed).data.find((one) => one.event_id === event && fits(one));
      },
      { what: `${event} is as it should be`, deadlineMs: 20_000 },
    );
  const act = (id: string, what: string) => system.api('POST', `${path}/${id}/${what}`, {});
  const first = await delivery('e0', ({ reason }) => reason === 'blocked');
  assert.equal(first.status, 'pending');
  const behind = await delivery('e2', ({ status }) => status === 'pending');
  assert.equal((await act(behind.id, 'cancel')).status, 409);
  bad = new Set(['e1']);
  assert.equal((await act(first.id, 'retry')).status, 202);
  await delivery('e0', ({ status }) => status === 'delivered');
  const second = await delivery('e1', ({ reason }) => reason === 'blocked');
  assert.equal((await act(second.id, 'cancel')).status, 202);
  await delivery('e1', ({ status }) => status === 'cancelled');
  await delivery('e2', ({ status }) => status === 'delivered');
  const ids = receiver.at('/hook').map(({ headers }) => headers['webhook-id']);
  assert.deepEqual(ids, ['e0', 'e0', 'e0', 'e1', 'e1', 'e2']);
});
