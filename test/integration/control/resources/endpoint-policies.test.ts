import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { limits } from '#domain/limits.ts';
import type { EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import {
  type ControlPlane,
  configValue,
  endpointInForce,
  startControlPlane,
} from '../control-plane.ts';

let plane: ControlPlane;
const url = 'https://example.com/hooks';

before(async (t) => {
  plane = await startControlPlane(t as never);
  await plane.call('PUT', '/v1/tenants/acme', {});
});

const path = '/v1/tenants/acme/endpoints';
const create = (policies: object) =>
  plane.call('POST', path, { url, allow_duplicate_url: true, ...policies });

const inForce = (id: string, fits: (endpoint: EndpointSnapshot) => boolean) =>
  endpointInForce(plane.kv, 'acme', id, fits);

test('policies are stored, shown, changed one by one, removed, and published to workers', async () => {
  const made = await create({
    retry: { delays_seconds: [1, 1, 2.5], final_statuses: [400, 404] },
    timeout_ms: 100,
    in_flight_max: 1024,
    rate_limit: { per_second: 0.01 },
  });
  assert.equal(made.status, 201, made.text);
  const retry = {
    delays_seconds: [1, 1, 2.5],
    final_statuses: [400, 404],
    retry_after_max_seconds: 86_400,
    max_age_seconds: 2_592_000,
  };
  assert.deepEqual(made.body.retry, retry);
  assert.deepEqual(made.body.rate_limit, { per_second: 0.01, burst: 1 });
  const item = `${path}/${made.body.id}`;
  const known = await inForce(made.body.id, ({ timeoutMs }) => timeoutMs === 100);
  assert.deepEqual(known.retry, {
    delaysSeconds: [1, 1, 2.5],
    finalStatuses: [400, 404],
    retryAfterMaxMs: 86_400_000,
    maxAgeMs: 2_592_000_000,
  });
  assert.equal(known.inFlightMax, 1024);
  assert.deepEqual(known.rateLimit, { perSecond: 0.01, burst: 1 });
  const change = { timeout_ms: null, rate_limit: { per_second: 250, burst: 7 } };
  const changed = await plane.call('PATCH', item, change);
  assert.equal(changed.status, 200, changed.text);
  assert.deepEqual(changed.body.retry, retry);
  assert.equal(changed.body.timeout_ms, null);
  assert.deepEqual((await plane.call('GET', item)).body.rate_limit, { per_second: 250, burst: 7 });
  const after = await inForce(made.body.id, ({ rateLimit }) => rateLimit?.perSecond === 250);
  assert.ok(!('timeoutMs' in after));
  assert.equal(after.inFlightMax, 1024);
});

test('an endpoint without policies shows none and publishes none', async () => {
  const { body } = await create({});
  for (const name of ['retry', 'timeout_ms', 'in_flight_max', 'rate_limit']) {
    assert.equal(body[name], null, name);
  }
  const known = await inForce(body.id, () => true);
  for (const name of ['retry', 'timeoutMs', 'inFlightMax', 'rateLimit']) {
    assert.ok(!(name in known), name);
  }
});

const bad: [what: string, policies: object, pointer: string][] = [
  ['no delays', { retry: { delays_seconds: [] } }, '/retry/delays_seconds'],
  ['51 delays', { retry: { delays_seconds: Array(51).fill(1) } }, '/retry/delays_seconds'],
  ['a delay of zero', { retry: { delays_seconds: [0] } }, '/retry/delays_seconds/0'],
  ['a negative delay', { retry: { delays_seconds: [1, -5] } }, '/retry/delays_seconds/1'],
  ['over a week', { retry: { delays_seconds: [604_801] } }, '/retry/delays_seconds/0'],
  ['delays that descend', { retry: { delays_seconds: [1, 5, 4] } }, '/retry/delays_seconds/2'],
  ['over 30 days', { retry: { delays_seconds: Array(5).fill(604_800) } }, '/retry/delays_seconds'],
  ['a delay that is text', { retry: { delays_seconds: ['1'] } }, '/retry/delays_seconds/0'],
  ['a delay that is null', { retry: { delays_seconds: [null] } }, '/retry/delays_seconds/0'],
  ['a final 399', { retry: { final_statuses: [399] } }, '/retry/final_statuses/0'],
  ['a final 600', { retry: { final_statuses: [600] } }, '/retry/final_statuses/0'],
  [
    'a negative Retry-After',
    { retry: { retry_after_max_seconds: -1 } },
    '/retry/retry_after_max_seconds',
  ],
  ['an unknown field', { retry: { delays: [1] } }, '/retry/delays'],
  ['a time limit of 99 ms', { timeout_ms: 99 }, '/timeout_ms'],
  ['a time limit over a minute', { timeout_ms: 60_001 }, '/timeout_ms'],
  ['half a millisecond', { timeout_ms: 100.5 }, '/timeout_ms'],
  ['nothing in flight', { in_flight_max: 0 }, '/in_flight_max'],
  ['too many in flight', { in_flight_max: 1025 }, '/in_flight_max'],
  ['a rate of zero', { rate_limit: { per_second: 0 } }, '/rate_limit/per_second'],
  ['a rate too high', { rate_limit: { per_second: 10_001 } }, '/rate_limit/per_second'],
  ['a burst of zero', { rate_limit: { per_second: 1, burst: 0 } }, '/rate_limit/burst'],
  ['a burst without a rate', { rate_limit: { burst: 1 } }, '/rate_limit/per_second'],
  ['a policy that is text', { retry: 'x' }, '/retry'],
  ['a policy that is a list', { retry: [] }, '/retry'],
  ['delays that are null', { retry: { delays_seconds: null } }, '/retry/delays_seconds'],
  ['delays as an object', { retry: { delays_seconds: { 0: 1 } } }, '/retry/delays_seconds'],
  ['a status that is text', { retry: { final_statuses: ['404'] } }, '/retry/final_statuses/0'],
  ['a status and a half', { retry: { final_statuses: [404.5] } }, '/retry/final_statuses/0'],
  ['a status twice', { retry: { final_statuses: [404, 404] } }, '/retry/final_statuses'],
  [
    'a Retry-After over a week',
    { retry: { retry_after_max_seconds: 604_801 } },
    '/retry/retry_after_max_seconds',
  ],
  ['an age of zero', { retry: { max_age_seconds: 0 } }, '/retry/max_age_seconds'],
  ['an age over 30 days', { retry: { max_age_seconds: 2_592_001 } }, '/retry/max_age_seconds'],
  ['a negative time limit', { timeout_ms: -1 }, '/timeout_ms'],
  ['a time limit that is text', { timeout_ms: '100' }, '/timeout_ms'],
  ['a time limit that is true', { timeout_ms: true }, '/timeout_ms'],
  ['minus one in flight', { in_flight_max: -1 }, '/in_flight_max'],
  ['one and a half in flight', { in_flight_max: 1.5 }, '/in_flight_max'],
  ['text in flight', { in_flight_max: '5' }, '/in_flight_max'],
  ['a rate that is a number', { rate_limit: 5 }, '/rate_limit'],
  ['a negative rate', { rate_limit: { per_second: -1 } }, '/rate_limit/per_second'],
  ['a rate that is text', { rate_limit: { per_second: '1' } }, '/rate_limit/per_second'],
  ['a burst too large', { rate_limit: { per_second: 1, burst: 10_001 } }, '/rate_limit/burst'],
  ['half a burst', { rate_limit: { per_second: 1, burst: 0.5 } }, '/rate_limit/burst'],
  [
    'a rate by the minute',
    { rate_limit: { per_second: 1, per_minute: 1 } },
    '/rate_limit/per_minute',
  ],
  ['a short life', { disable_after_seconds: 59 }, '/disable_after_seconds'],
  ['a life over a year', { disable_after_seconds: 31_536_001 }, '/disable_after_seconds'],
  ['an unknown format', { format: 'xml' }, '/format'],
  ['no format', { format: null }, '/format'],
  ['an unknown policy', { patience: 1 }, '/patience'],
];

test('rejects out-of-range policies with their JSON pointers, and stores nothing', async () => {
  const { body } = await create({ timeout_ms: 5000 });
  for (const [what, policies, pointer] of bad) {
    for (const answer of [
      await create(policies),
      await plane.call('PATCH', `${path}/${body.id}`, policies),
    ]) {
      assert.equal(answer.status, 400, `${what}: ${answer.text}`);
      assert.equal(answer.body.code, 'POSTHORN_REQUEST_INVALID', what);
      // None of the errors says "must be null": that would help no caller.
      const pointers = answer.body.errors.map((error: { pointer: string }) => error.pointer);
      assert.deepEqual(new Set(pointers), new Set([pointer]), `${what}: ${answer.text}`);
    }
  }
  const still = await plane.call('GET', `${path}/${body.id}`);
  assert.equal(still.body.revision, 1);
});

test('rejects an unknown status and lists the allowed ones', async () => {
  const { body } = await create({});
  for (const status of ['ACTIVE', 'gone', '', null, 1]) {
    const answer = await plane.call('PATCH', `${path}/${body.id}`, { status });
    assert.equal(answer.status, 400, answer.text);
    assert.deepEqual(answer.body.errors, [
      { pointer: '/status', detail: 'must be one of: active, paused, disabled' },
    ]);
  }
});

test('a request with very many faults gets a bounded list of them', async () => {
  const answer = await create({ retry: { delays_seconds: Array(40_000).fill('x') } });
  assert.equal(answer.status, 400);
  assert.equal(answer.body.errors.length, limits.fieldErrorsMax);
  assert.match(answer.body.detail, /and 40000 more/);
});

test('rejects numbers that JSON does not have, and numbers that are not finite', async () => {
  const headers = { 'content-type': 'application/json' };
  for (const [number, code] of [
    ['NaN', 'POSTHORN_BODY_INVALID'],
    ['1e999', 'POSTHORN_REQUEST_INVALID'],
    ['-1e999', 'POSTHORN_REQUEST_INVALID'],
  ] as const) {
    const text = `{"url": "${url}", "rate_limit": {"per_second": ${number}}}`;
    const answer = await plane.call('POST', path, text as never, { headers });
    assert.equal(answer.status, 400, number);
    assert.equal(answer.body.code, code, number);
  }
});

test("a tenant's own limit of concurrent requests is stored, shown and removed", async () => {
  const put = (body: object) => plane.call('PUT', '/v1/tenants/bound', body);
  const made = await put({ in_flight_max: 3 });
  assert.equal(made.body.in_flight_max, 3, made.text);
  const known = await configValue<TenantSnapshot>(plane.kv, 'tenant.bound');
  assert.equal(known.inFlightMax, 3);
  for (const in_flight_max of [0, -1, 8193, 1.5]) {
    const answer = await put({ in_flight_max });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.body.errors[0].pointer, '/in_flight_max');
  }
  assert.equal((await put({})).body.in_flight_max, null);
});

test('an endpoint is ordered, with an action for a delivery that used up its attempts', async () => {
  const plain = await create({});
  assert.equal(plain.body.ordered, false);
  assert.equal(plain.body.on_exhausted, 'dead_letter');
  const made = await create({ ordered: true });
  assert.equal(made.status, 201, made.text);
  const { id } = made.body;
  const known = await inForce(id, ({ ordered }) => ordered !== undefined);
  assert.deepEqual(known.ordered, { onExhausted: 'dead_letter' });
  const changed = await plane.call('PATCH', `${path}/${id}`, { on_exhausted: 'block' });
  assert.equal(changed.body.ordered, true, changed.text);
  assert.equal(changed.body.on_exhausted, 'block');
  await inForce(id, ({ ordered }) => ordered?.onExhausted === 'block');
  await plane.call('PATCH', `${path}/${id}`, { ordered: false });
  await inForce(id, ({ ordered }) => ordered === undefined);
  const read = await plane.call('GET', `${path}/${id}`);
  assert.equal(read.body.ordered, false);
  assert.equal(read.body.on_exhausted, 'block');
});

test('rejects invalid values of ordered and on_exhausted', async () => {
  const cases: [object, string][] = [
    [{ ordered: 'yes' }, '/ordered'],
    [{ ordered: null }, '/ordered'],
    [{ on_exhausted: 'stop' }, '/on_exhausted'],
    [{ on_exhausted: null }, '/on_exhausted'],
  ];
  for (const [body, pointer] of cases) {
    const answer = await create(body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.body.errors[0].pointer, pointer);
  }
});

test('a change within a policy keeps the fields that it does not name', async () => {
  const made = await create({
    retry: { delays_seconds: [1, 2], final_statuses: [404], max_age_seconds: 60 },
    rate_limit: { per_second: 100, burst: 3 },
  });
  const item = `${path}/${made.body.id}`;
  const change = async (body: object) => (await plane.call('PATCH', item, body)).body;
  const retry = made.body.retry;
  const longer = await change({ retry: { max_age_seconds: 120 } });
  assert.deepEqual(longer.retry, { ...retry, max_age_seconds: 120 });
  const faster = await change({ rate_limit: { per_second: 200 } });
  assert.deepEqual(faster.rate_limit, { per_second: 200, burst: 3 });
  assert.deepEqual(faster.retry, longer.retry);
  await change({ rate_limit: null, retry: null });
  const fresh = await change({ rate_limit: { per_second: 100 }, retry: { final_statuses: [] } });
  const { burst } = fresh.rate_limit;
  assert.notEqual(fresh.retry.delays_seconds.length, 2);
  const slower = await change({ rate_limit: { per_second: 10 } });
  assert.ok(slower.rate_limit.burst < burst, 'a burst that was never named follows the rate');
});
