import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { IngressPlane } from '../ingress-plane.ts';

const SCHEMA = {
  type: 'object',
  required: ['total', 'lines'],
  properties: {
    total: { type: 'number', minimum: 0 },
    lines: { type: 'array', items: { type: 'object', required: ['sku'] } },
  },
};

// One ingress for all tests: it rejects every event here, so nothing is stored.
let plane: IngressPlane;
const stops: (() => unknown)[] = [];
before(async () => {
  const context = { after: (stop: () => unknown) => stops.push(stop) };
  plane = await IngressPlane.start(context as never, {
    settings: { eventBytesMax: 65_536 },
  });
  await plane.eventType('order.paid', { schema: SCHEMA });
  await plane.eventType('order.old', { state: 'INACTIVE' });
  await plane.tenant('strict', { eventTypePolicy: 'strict' });
});
after(async () => {
  assert.equal((await plane.stored()).length, 0, 'something that was refused is stored');
  for (const stop of stops) await stop();
});

const EVENTS = '/v1/tenants/acme/events';
const BATCH = `${EVENTS}/batch`;
const STRICT = '/v1/tenants/strict/events';
const CE = {
  'ce-specversion': '1.0',
  'ce-id': 'c1',
  'ce-source': '/s',
  'ce-type': 'a.b',
};

interface Refusal {
  what: string;
  path?: string;
  headers?: Record<string, string>;
  body: unknown;
  status: number;
  code: string;
  pointers?: string[];
}

const refusals: Refusal[] = [
  { what: 'nothing', body: '', status: 400, code: 'BODY_INVALID' },
  { what: 'invalid JSON', body: '{"type":', status: 400, code: 'BODY_INVALID' },
  { what: 'invalid JSON in a batch', path: BATCH, body: '[', status: 400, code: 'BODY_INVALID' },
  {
    what: 'two million arrays in each other, in a batch',
    path: BATCH,
    body: `${'['.repeat(2_000_000)}]`,
    status: 400,
    code: 'EVENT_INVALID',
    pointers: ['/0'],
  },
  {
    what: 'two million small numbers in the data of an item of a batch',
    path: BATCH,
    body: `{"events":[{"type":"a.b","data":[${'1,'.repeat(2_000_000)}1]}]}`,
    status: 400,
    code: 'EVENT_INVALID',
    pointers: ['/events/0/data'],
  },
  {
    what: 'bytes that are not UTF-8',
    body: Buffer.from([0x7b, 0xff, 0x7d]),
    status: 400,
    code: 'BODY_INVALID',
  },
  {
    what: 'wrong types and an unknown field, all named',
    body: { type: 7, id: [], subject: {}, payload: 1 },
    status: 400,
    code: 'EVENT_INVALID',
    pointers: ['/payload', '/type', '/id', '/subject'],
  },
  {
    what: 'an event of the platform itself',
    body: { type: 'posthorn.endpoint.disabled', data: {} },
    status: 400,
    code: 'EVENT_INVALID',
    pointers: ['/type'],
  },
  { what: 'a list', body: [], status: 400, code: 'EVENT_INVALID', pointers: [''] },
  {
    what: 'a structured CloudEvent without source',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: { specversion: '1.0', id: 'a', type: 'a.b' },
    status: 400,
    code: 'EVENT_INVALID',
    pointers: ['/source'],
  },
  {
    what: 'a binary CloudEvent with a bad type',
    headers: { ...CE, 'ce-type': 'a%0Ab' },
    body: '{}',
    status: 400,
    code: 'EVENT_INVALID',
    pointers: ['#header/ce-type'],
  },
  {
    what: 'a binary CloudEvent that is no JSON',
    headers: CE,
    body: '{',
    status: 400,
    code: 'BODY_INVALID',
  },
  {
    what: 'an inactive type',
    body: { type: 'order.old' },
    status: 422,
    code: 'EVENT_TYPE_INACTIVE',
    pointers: ['/type'],
  },
  {
    what: 'an unknown type, when the tenant is strict',
    path: STRICT,
    body: { type: 'order.unheard' },
    status: 422,
    code: 'EVENT_TYPE_UNKNOWN',
    pointers: ['/type'],
  },
  {
    what: 'data against its schema',
    body: { type: 'order.paid', data: { total: -1, lines: [{ sku: 1 }, {}] } },
    status: 422,
    code: 'EVENT_DATA_INVALID',
    pointers: ['/data/total', '/data/lines/1/sku'],
  },
  {
    what: 'data against its schema, in a binary CloudEvent',
    headers: { ...CE, 'ce-type': 'order.paid' },
    body: { total: 1 },
    status: 422,
    code: 'EVENT_DATA_INVALID',
    pointers: ['/data/lines'],
  },
  {
    what: 'text when the type has a schema',
    headers: { ...CE, 'ce-type': 'order.paid', 'content-type': 'text/plain' },
    body: 'hello',
    status: 422,
    code: 'EVENT_DATA_INVALID',
    pointers: ['/data'],
  },
  {
    what: 'an event that is too large',
    body: { type: 'a.b', data: 'x'.repeat(66_000) },
    status: 413,
    code: 'EVENT_TOO_LARGE',
  },
  {
    what: 'a body that is much too large',
    body: { type: 'a.b', data: 'x'.repeat(200_000) },
    status: 413,
    code: 'EVENT_TOO_LARGE',
  },
  {
    what: 'a body larger than any',
    path: BATCH,
    body: { events: [{ type: 'a.b', data: 'x'.repeat(5_000_000) }] },
    status: 413,
    code: 'EVENT_TOO_LARGE',
  },
  {
    what: 'a batch of too many',
    path: BATCH,
    body: { events: Array.from({ length: 1001 }, () => ({ type: 'a.b' })) },
    status: 413,
    code: 'BATCH_TOO_LARGE',
  },
  {
    what: 'a batch with an unknown field',
    path: BATCH,
    body: { events: [{ type: 'a.b' }], atomic: true },
    status: 400,
    code: 'EVENT_INVALID',
    pointers: ['/atomic'],
  },
  {
    what: 'an Idempotency-Key that is too long',
    headers: { 'idempotency-key': 'x'.repeat(256) },
    body: { type: 'a.b' },
    status: 400,
    code: 'REQUEST_INVALID',
    pointers: ['#header/idempotency-key'],
  },
  ...['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'nonsense'].map(
    (type) => ({
      what: `content type ${type}`,
      headers: { 'content-type': type },
      body: '{"type":"a.b"}',
      status: 415,
      code: 'MEDIA_TYPE_UNSUPPORTED',
    }),
  ),
  {
    what: 'a CloudEvents batch where a plain one belongs',
    path: BATCH,
    headers: { 'content-type': 'application/cloudevents-batch+json' },
    body: [],
    status: 415,
    code: 'MEDIA_TYPE_UNSUPPORTED',
  },
];
for (const { what, path, headers, body, status, code, pointers } of refusals) {
  test(`rejects ${what} with ${status} POSTHORN_${code}`, async () => {
    const refused = () => plane.metric('posthorn_ingress_events_total', { result: 'refused' });
    const before = await refused();
    const options = { path: path ?? EVENTS, ...(headers === undefined ? {} : { headers }) };
    const answer = await plane.post(body, options);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(answer.body.code, `POSTHORN_${code}`);
    assert.equal(answer.body.status, status);
    assert.equal(answer.body.instance, options.path);
    assert.equal(answer.body.request_id, answer.headers['x-request-id']);
    const named = (answer.body.errors as { pointer: string }[] | undefined) ?? [];
    assert.deepEqual(
      named.map(({ pointer }) => pointer),
      pointers ?? [],
    );
    // Requests that the server itself rejects do not reach ingress.
    if (status !== 413 && status !== 415) assert.equal(await refused(), before + 1);
  });
}

test('the key is checked before any part of a body that is too large is read', async () => {
  const headers = { authorization: 'Bearer phk_wrong' };
  const body = Buffer.alloc(8 * 1024 * 1024, ' ');
  for (const path of [EVENTS, BATCH, '/v1/events', '/v1/events/batch']) {
    assert.equal((await plane.post(body, { path, headers })).status, 401, path);
  }
});

test('the size limit counts the whole event with its attributes, and accepts an event at the limit', async () => {
  const head = { type: 'a.b', id: 'x'.repeat(200), subject: 's'.repeat(512) };
  const answer = await plane.post({ ...head, data: 'x'.repeat(65_536 - 800) });
  assert.equal(answer.status, 413, JSON.stringify(answer.body));
  assert.match(answer.body.detail, /at most 65536/);
});
