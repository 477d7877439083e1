import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import type { PollRequest } from '#wire/poll-request.ts';
import { shardOf, subjects } from '#wire/subjects.ts';
import { type Answer, type ControlPlane, startControlPlane } from '../control-plane.ts';

interface Plane {
  plane: ControlPlane;
  path: string;
  id: string;
  send: (method: string, path: string, body?: object) => Promise<Answer>;
}

async function start(t: TestContext): Promise<Plane> {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  const made = await plane.call('POST', '/v1/tenants/acme/endpoints', {
    kind: 'poll',
    poll: { leases_max: 3 },
  });
  assert.equal(made.status, 201, made.text);
  const id = made.body.id as string;
  await waitUntil(() => plane.config.currentTenant('acme')?.endpoints.length === 1);
  const path = `/v1/tenants/acme/endpoints/${id}`;
  const send: Plane['send'] = (method, rest, body) => plane.call(method, path + rest, body);
  return { plane, path, id, send };
}

/** Answers the requests of pollers in place of the worker that owns the shard. */
function answerAs(plane: ControlPlane, answer: object): PollRequest[] {
  const seen: PollRequest[] = [];
  plane.nc.subscribe(subjects.pollRequests(shardOf('acme', 1)), {
    callback: (_, message) => {
      seen.push(message.json());
      message.respond(JSON.stringify(answer));
    },
  });
  return seen;
}

test('an endpoint that is polled is created, read, changed and deleted', async (t) => {
  const { plane, send, id } = await start(t);
  const { body } = await send('GET', '');
  assert.equal(body.kind, 'poll');
  assert.deepEqual(body.poll, { lease_seconds: 30, leases_max: 3, max_age_seconds: 604_800 });
  assert.equal('url' in body || 'signing_secrets' in body, false);
  const changed = await send('PATCH', '', { poll: { lease_seconds: 90 }, sequenced: true });
  assert.equal(changed.status, 200, changed.text);
  assert.deepEqual(changed.body.poll, {
    lease_seconds: 90,
    leases_max: 3,
    max_age_seconds: 604_800,
  });
  const inForce = () => plane.config.currentTenant('acme')?.endpoints[0];
  await waitUntil(() => inForce()?.sequenced === true, { what: 'the change in force' });
  const snapshot = inForce();
  assert.deepEqual(snapshot?.poll, { leaseSeconds: 90, leasesMax: 3, maxAgeSeconds: 604_800 });
  assert.equal(snapshot?.sequenced, true);
  const listed = await plane.call('GET', '/v1/tenants/acme/endpoints');
  assert.deepEqual(
    listed.body.data.map((one: { id: string; kind: string }) => [one.id, one.kind]),
    [[id, 'poll']],
  );
  assert.equal((await send('DELETE', '')).status, 204);
});

test('an endpoint without a kind gets webhooks, as before', async (t) => {
  const { plane } = await start(t);
  const url = 'https://example.com/';
  for (const body of [{ url }, { url, kind: 'webhook', allow_duplicate_url: true }]) {
    const made = await plane.call('POST', '/v1/tenants/acme/endpoints', body);
    assert.equal(made.status, 201, made.text);
    assert.equal(made.body.kind, 'webhook');
    assert.match(made.body.secret as string, /^whsec_/);
  }
});

test('rejects fields of the other kind', async (t) => {
  const { plane, send } = await start(t);
  const create = (body: object) => plane.call('POST', '/v1/tenants/acme/endpoints', body);
  const pointersOf = ({ body }: Answer) =>
    (body.errors as { pointer: string }[]).map(({ pointer }) => pointer);
  const url = 'https://example.com/';
  const cases: [Answer, string[]][] = [
    [await create({ kind: 'poll', url }), ['/url']],
    [await create({ kind: 'webhook', url, poll: {} }), ['/poll']],
    [await create({ kind: 'webhook' }), ['/url']],
    [await create({}), ['/url']],
    [await create({ kind: 'other', url }), ['/kind']],
    [await create({ kind: 'poll', poll: { lease_seconds: 0 } }), ['/poll/lease_seconds']],
    [await create({ kind: 'poll', poll: { leases_max: 51 } }), ['/poll/leases_max']],
    [await create({ kind: 'poll', poll: { max_age_seconds: 1 } }), ['/poll/max_age_seconds']],
    [await send('PATCH', '', { url, timeout_ms: 1000 }), ['/url', '/timeout_ms']],
  ];
  for (const [answer, pointers] of cases) {
    assert.equal(answer.status, 400, answer.text);
    assert.deepEqual(pointersOf(answer), pointers, answer.text);
  }
  assert.equal((await send('POST', '/rotate-secret', {})).body.code, 'POSTHORN_ENDPOINT_KIND');
  const made = await create({ url });
  const webhook = `/v1/tenants/acme/endpoints/${made.body.id}`;
  const changed = await plane.call('PATCH', webhook, { poll: { leases_max: 2 } });
  assert.deepEqual(pointersOf(changed), ['/poll']);
  await waitUntil(() => plane.config.currentTenant('acme')?.endpoints.length === 2);
  const polled = await plane.call('GET', `${webhook}/poll`);
  assert.equal(polled.body.code, 'POSTHORN_ENDPOINT_KIND');
});

test('a poll is passed to the owner of the shard, and its answer shown', async (t) => {
  const { plane, send, id } = await start(t);
  const leased = {
    lease: 'dlv_x.1',
    untilMs: 1000,
    delivery: 'dlv_x',
    event: 'e1',
    type: 'a.b',
    acceptedMs: 0,
    attemptNo: 1,
    body: '{}',
  };
  const seen = answerAs(plane, { deliveries: [leased] });
  const { body } = await send('GET', '/poll?limit=5&lease_seconds=7');
  assert.deepEqual(body.data, [
    {
      lease_id: 'dlv_x.1',
      lease_expires_at: '1970-01-01T00:00:01.000Z',
      delivery_id: 'dlv_x',
      event_id: 'e1',
      event_type: 'a.b',
      accepted_at: '1970-01-01T00:00:00.000Z',
      attempt_count: 1,
      sequence: null,
      body: '{}',
    },
  ]);
  assert.deepEqual(seen, [
    { tenant: 'acme', endpoint: id, what: 'poll', limit: 5, waitMs: 0, leaseMs: 7000 },
  ]);
});

test('a fault of the worker is answered with its error', async (t) => {
  const { plane, send } = await start(t);
  const answers: [string, string][] = [
    ['not_active', 'POSTHORN_ENDPOINT_STATUS'],
    ['busy', 'POSTHORN_OVERLOADED'],
    ['failed', 'POSTHORN_WORKERS_UNAVAILABLE'],
  ];
  let fault = '';
  plane.nc.subscribe(subjects.pollRequests(shardOf('acme', 1)), {
    callback: (_, message) => void message.respond(JSON.stringify({ fault })),
  });
  for (const [given, code] of answers) {
    fault = given;
    assert.equal((await send('GET', '/poll')).body.code, code);
    assert.equal((await send('POST', '/commit', { lease_ids: ['dlv_x.1'] })).body.code, code);
  }
});

test('a poll is refused when no worker owns the shard', async (t) => {
  const { send } = await start(t);
  const { status, body } = await send('GET', '/poll');
  assert.equal(status, 503);
  assert.equal(body.code, 'POSTHORN_WORKERS_UNAVAILABLE');
});

test('rejects wrong polls and commits', async (t) => {
  const { plane, send } = await start(t);
  for (const query of ['limit=0', 'limit=101', 'wait_seconds=31', 'lease_seconds=0', 'x=1']) {
    assert.equal((await send('GET', `/poll?${query}`)).status, 400, query);
  }
  const ids = Array.from({ length: 101 }, (_, i) => `dlv_${i}.1`);
  for (const body of [{}, { lease_ids: [] }, { lease_ids: ids }, { lease_ids: ['a', 'a'] }]) {
    assert.equal((await send('POST', '/commit', body)).status, 400);
    assert.equal((await send('POST', '/extend', body)).status, 400);
  }
  assert.equal((await plane.call('GET', '/v1/tenants/acme/endpoints/ep_none/poll')).status, 404);
  assert.equal((await plane.call('GET', '/v1/tenants/none/endpoints/ep_none/poll')).status, 404);
  await plane.call('PUT', '/v1/tenants/globex', {});
  const { id } = (await send('GET', '')).body;
  await waitUntil(() => plane.config.currentTenant('globex') !== undefined);
  const foreign = await plane.call('GET', `/v1/tenants/globex/endpoints/${id}/poll`);
  assert.equal(foreign.status, 404, 'the endpoint of another tenant');
});

test('a seek plans the replay of a range of deliveries to the endpoint', async (t) => {
  const { plane, send, id } = await start(t);
  const accepted_at = { gte: '2026-01-31T12:00:00.000Z' };
  const { status, body } = await send('POST', '/seek', { accepted_at });
  assert.equal(status, 202, JSON.stringify(body));
  assert.equal(body.status, 'counting');
  assert.deepEqual([body.action, body.kind], ['replay', 'range']);
  assert.deepEqual(body.filter, { endpoint_id: [id], accepted_at });
  for (const wrong of [{}, { accepted_at: {} }, { accepted_at: { gte: 'x' } }]) {
    assert.equal((await send('POST', '/seek', wrong)).status, 400, JSON.stringify(wrong));
  }
  const other = '/v1/tenants/acme/endpoints/ep_none/seek';
  assert.equal((await plane.call('POST', other, { accepted_at })).status, 404);
});
