/** Lists and counts through the API: of one tenant, and of all. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { eventKey, type History, historyOf } from '#infra/mongo/documents.ts';
import { SearchScopes } from '#src/control/search/search-scope.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import { attemptOf, deliveryOf, eventOf } from './history-documents.ts';

let plane: ControlPlane;
let history: History;
before(async (t) => {
  plane = await startControlPlane(t as never);
  history = historyOf(plane.db);
});

const get = (path: string, key?: string) => plane.call('GET', path, undefined, { key });
const ids = (body: { data: { id: string }[] }) => body.data.map(({ id }) => id);
const queryOf = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

async function newTenant(id: string): Promise<string> {
  await plane.call('PUT', `/v1/tenants/${id}`, {});
  return `/v1/tenants/${id}`;
}

test('attempts are listed, counted and read, with their responses only when asked for', async () => {
  const path = await newTenant('tries');
  const failure = { failure: 'http_status', response_status: 503, response_body: 'no' } as const;
  await history.attempts.insertMany([attemptOf('tries', 0), attemptOf('tries', 3, failure)]);
  const failed = 'status=failed&response_class=5xx';
  const list = (await get(`${path}/attempts?${failed}`)).body;
  assert.equal(list.next_cursor, null);
  const [attempt] = list.data;
  assert.equal(attempt.tenant_id, 'tries');
  assert.equal(attempt.status, 'failed');
  assert.equal(attempt.delivery_id, 'dlv_tries_000003');
  assert.ok(!('response_body' in attempt));
  const whole = (await get(`${path}/attempts?${failed}&include=response`)).body.data[0];
  assert.equal(whole.response_body, 'no');
  assert.deepEqual((await get(`${path}/attempts/${attempt.id}`)).body, whole);
  assert.deepEqual((await get(`${path}/attempts/count?${failed}`)).body, {
    count: 1,
    relation: 'exact',
    partial: null,
  });
  assert.equal((await get(`${path}/attempts?status=lost`)).status, 400);
  assert.equal((await get(`${path}/attempts?response_status=7`)).status, 400);
  assert.equal((await get(`${path}/attempts/count?limit=5`)).status, 400);
});

test("another tenant's attempts, events and deliveries are found by no filter", async () => {
  const path = await newTenant('mine');
  await newTenant('theirs');
  const theirs = attemptOf('theirs', 0);
  await history.attempts.insertOne(theirs);
  await history.deliveries.insertOne(deliveryOf('theirs', 0, { replay: 'rpl_1' }));
  await history.events.insertOne(eventOf('theirs', 0));
  const attempt = await get(`${path}/attempts/${theirs._id}`);
  assert.equal(attempt.body.code, 'POSTHORN_RESOURCE_UNKNOWN');
  for (const list of [
    'events?id=evt_0',
    'events?correlation_id=req_0',
    'deliveries?replay_id=rpl_1',
    'deliveries?event_id=evt_0',
    `attempts?delivery_id=${theirs.delivery}`,
  ]) {
    assert.deepEqual((await get(`${path}/${list}`)).body.data, [], list);
    const count = list.replace('?', '/count?');
    assert.equal((await get(`${path}/${count}`)).body.count, 0, count);
  }
});

test('rejects a query that no list can answer with an error that names its field', async () => {
  const path = await newTenant('bad');
  const many = Array.from({ length: 21 }, (_, i) => `status=held&id=${i}`).join('&');
  for (const [query, pointer] of [
    ['events?data[contains]=%00', '#query/data[contains]'],
    ['events?data[contains]=', '#query/data[contains]'],
    [
      `events?data[contains]=${'x'.repeat(limits.searchTextLengthMax + 1)}`,
      '#query/data[contains]',
    ],
    ['events?filter=%7B', '#query/filter'],
    ['events?filter=%7B%22__proto__%22%3A1%7D', '#query/filter/__proto__'],
    ['events?producer_id=1', '#query/source'],
    ['events?include=all', '#query/include'],
    ['events?accepted_at[gt]=2026-01-31T12:00:00Z', '#query/accepted_at[gt]'],
    ['deliveries?accepted_at[gte]=now', '#query/accepted_at[gte]'],
    ['deliveries?attempt_count[gte]=-1', '#query/attempt_count[gte]'],
    ['deliveries?attempt_count[gte]=1e3', '#query/attempt_count[gte]'],
    ['deliveries?response_class=6xx', '#query/response_class/0'],
    ['attempts?response_status=1000', '#query/response_status/0'],
    ['attempts?order=random', '#query/order'],
    [`events?${many}`, '#query/id'],
  ] as const) {
    const answer = await get(`${path}/${query}`);
    assert.equal(answer.status, 400, `${query}: ${answer.text}`);
    const pointers = answer.body.errors.map((error: { pointer: string }) => error.pointer);
    assert.ok(pointers.includes(pointer), `${query}: ${pointers.join()}`);
  }
  for (const query of [
    'events?id=%00&subject=%EF%BF%BF&correlation_id=%25',
    `events?idempotency_key=${encodeURIComponent('\n')}`,
    'events?source=/s&producer_id=%00',
    'deliveries?reason=%00&attempt_count[gte]=2147483647',
    'deliveries?accepted_at[gte]=0001-01-01T00:00:00Z&updated_at[lt]=9999-12-31T23:59:59Z',
    'attempts?duration_ms[lt]=0&number[gte]=5&number[lt]=1',
  ]) {
    const answer = await get(`${path}/${query}`);
    assert.equal(answer.status, 200, `${query}: ${answer.text}`);
    assert.equal((await get(`${path}/${query.replace('?', '/count?')}`)).body.count, 0, query);
  }
});

test('a cursor is refused by the list of another tenant, order or filter', async () => {
  const [one, two] = [await newTenant('one'), await newTenant('two')];
  for (const tenant of ['one', 'two']) {
    await history.events.insertMany([0, 1, 2].map((i) => eventOf(tenant, i)));
  }
  const cursor = (await get(`${one}/events?limit=1`)).body.next_cursor;
  assert.equal((await get(`${one}/events?limit=2&cursor=${cursor}`)).body.data.length, 2);
  for (const other of [
    `${two}/events?`,
    `${one}/events?order=oldest&`,
    `${one}/events?source=/shop0&`,
    `${one}/deliveries?`,
    '/v1/events?',
    '/v1/events?tenant_id=one&tenant_id=two&',
  ]) {
    const refused = await get(`${other}cursor=${cursor}`);
    assert.equal(refused.body.code, 'POSTHORN_CURSOR_INVALID', other);
  }
});

test('no search finds an event of a sensitive type by its data', async () => {
  const path = await newTenant('private');
  await plane.call('PUT', '/v1/event-types/patient.seen', { sensitive: true });
  await waitUntil(() => plane.config.eventType('patient.seen')?.sensitive === true);
  const data = '{"name":"Ada"}';
  await history.events.insertMany([
    eventOf('private', 1, { type: 'patient.seen', data }),
    eventOf('private', 2, { data }),
  ]);
  const onData = JSON.stringify({ 'data.name': 'Ada' });
  for (const query of [{ 'data[contains]': 'Ada' }, { filter: onData }]) {
    const list = (await get(`${path}/events?${queryOf(query)}`)).body;
    assert.deepEqual(ids(list), ['evt_2']);
    assert.equal((await get(`${path}/events/count?${queryOf(query)}`)).body.count, 1);
    const negated = { ...query, event_type: 'patient.seen' };
    assert.deepEqual((await get(`${path}/events?${queryOf(negated)}`)).body.data, []);
  }
  // A negation does not tell of them either.
  const not = JSON.stringify({ 'data.name': { $ne: 'Bob' } });
  assert.deepEqual(ids((await get(`${path}/events?${queryOf({ filter: not })}`)).body), ['evt_2']);
  const onSource = JSON.stringify({ source: '/shop1' });
  const found = await get(`${path}/events?${queryOf({ filter: onSource })}&include=data`);
  assert.deepEqual(ids(found.body), ['evt_1']);
  assert.equal(found.body.data[0].data_hidden, true);
  assert.ok(!found.text.includes('Ada'));
});

test('a page with data shows it byte for byte, and ends early when it is large', async () => {
  const path = await newTenant('bytes');
  const data = '{"big": 12345678901234567890.10, "a":1, "a":2}';
  const large = `"${'x'.repeat(limits.pageDataBytesMax / 4)}"`;
  await history.events.insertMany([
    eventOf('bytes', 90, { data }),
    ...[0, 1, 2, 3, 4, 5, 6].map((i) => eventOf('bytes', i, { data: large })),
  ]);
  const first = await get(`${path}/events?include=data`);
  assert.ok(first.text.includes(`"data":${data}}`));
  assert.ok(first.body.data.length < 8, 'it ended early');
  const cursor = first.body.next_cursor as string;
  const second = await get(`${path}/events?include=data&cursor=${cursor}`);
  assert.equal(new Set([...ids(first.body), ...ids(second.body)]).size, 8);
  assert.equal(second.body.next_cursor, null);
});

test('operators list all tenants or some, without data of ended lives', async () => {
  await newTenant('north');
  await newTenant('gone');
  await history.deliveries.insertMany([
    deliveryOf('north', 1, { endpoint: 'ep_all' }),
    deliveryOf('gone', 6, { endpoint: 'ep_all' }),
  ]);
  const list = async (query: string) =>
    (await get(`/v1/deliveries?endpoint_id=ep_all&${query}`)).body.data.map(
      ({ tenant_id: tenant }: { tenant_id: string }) => tenant,
    );
  assert.deepEqual(await list(''), ['gone', 'north']);
  assert.deepEqual(await list('tenant_id=north'), ['north']);
  assert.deepEqual(await list('tenant_id=north&tenant_id=gone'), ['gone', 'north']);
  assert.deepEqual(await list('tenant_id=nobody'), []);
  assert.equal((await plane.call('DELETE', '/v1/tenants/gone')).status, 204);
  // As records that come late restore it.
  await history.deliveries.deleteMany({ tenant: 'gone' });
  await history.deliveries.insertOne(deliveryOf('gone', 6, { endpoint: 'ep_all' }));
  assert.deepEqual(await list(''), ['north']);
  assert.deepEqual(await list('tenant_id=gone'), []);
  const count = await get('/v1/deliveries/count?endpoint_id=ep_all');
  assert.equal(count.body.count, 1);
  await newTenant('gone');
  assert.deepEqual(await list('tenant_id=gone'), [], 'the next life has none');
});

test('only platform keys list all tenants', async () => {
  await newTenant('bound');
  const made = await plane.call('POST', '/v1/keys', { scope: 'tenant', tenant_id: 'bound' });
  const key = made.body.key as string;
  await waitUntil(() => plane.config.apiKey(keyHash(key)) !== undefined);
  for (const list of ['events', 'deliveries', 'attempts']) {
    for (const path of [`/v1/${list}`, `/v1/${list}/count`, `/v1/${list}?tenant_id=bound`]) {
      assert.equal((await get(path, key)).body.code, 'POSTHORN_KEY_SCOPE', path);
      assert.equal((await get(path)).status, 200, path);
    }
    assert.equal((await get(`/v1/tenants/bound/${list}`, key)).status, 200);
  }
});

test('a caller sees only the event types that it is limited to', async () => {
  const path = await newTenant('limited');
  await history.events.insertMany([
    eventOf('limited', 1, { type: 'order.created' }),
    eventOf('limited', 2, { type: 'order.paid.late' }),
    eventOf('limited', 3, { type: 'orders' }),
    eventOf('limited', 4, { type: 'invoice.paid' }),
  ]);
  assert.equal((await get(`${path}/events`)).body.data.length, 4);
  const scopes = new SearchScopes({
    lives: { of: async (id) => id, find: async (id) => id },
    configuration: configurationOf(plane.db),
  });
  const visible = async (eventTypes: string[]) => {
    const caller = { keyId: 'k', scope: 'tenant', tenant: 'limited', eventTypes } as const;
    const { filters } = await scopes.ofTenant('limited', caller);
    const conditions = { $and: filters.map(({ condition }) => condition) };
    const found = await history.events.find(conditions).sort({ _id: 1 }).toArray();
    return found.map(({ _id }) => _id);
  };
  const keys = (...numbers: number[]) => numbers.map((i) => eventKey('limited', `evt_${i}`));
  assert.deepEqual(await visible(['order.*']), keys(1, 2));
  assert.deepEqual(await visible(['order.created', 'invoice.*']), keys(1, 4));
  assert.deepEqual(await visible(['*']), keys(1, 2, 3, 4));
  assert.deepEqual(await visible([]), []);
});
