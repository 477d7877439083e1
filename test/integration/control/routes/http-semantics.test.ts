import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { before, test } from 'node:test';
import { type ControlPlane, PLATFORM_KEY, startControlPlane } from '../control-plane.ts';

interface Operation {
  parameters?: { name: string }[];
  requestBody?: { required?: boolean };
  security?: unknown[];
}

/** A path of the API, with ids that nothing has. */
interface Path {
  url: string;
  operations: Map<string, Operation>;
}

const CONTENT_TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'text/plain',
  'x',
  '',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/**
 * Large payloads are streamed: their length is only known once they are read. Polling leases
 * deliveries, and a live tail has no end.
 */
const withoutHead = (url: string): boolean => /\/(payload(s\/.*)?|poll|tail)$/.test(url);
/** A live tail of all tenants: its answer never ends. */
const isEndless = (url: string): boolean => /^\/v1\/\w+\/tail$/.test(url);

let plane: ControlPlane;
let paths: Path[];

before(async (t) => {
  plane = await startControlPlane(t as never);
  const document = (await plane.app.inject('/openapi.json')).json() as {
    paths: Record<string, Record<string, Operation>>;
  };
  paths = Object.entries(document.paths).flatMap(([template, item]) => {
    const route = template.replaceAll(/\{(\w+)\}/g, ':$1');
    // Events are published to another plane.
    const operations = Object.entries(item)
      .map(([method, operation]) => [method.toUpperCase(), operation] as const)
      .filter(([method]) => plane.app.hasRoute({ method, url: route }));
    const url = template.replace('{format}', 'openapi').replaceAll(/\{(\w+)\}/g, 'none-0');
    return operations.length === 0 ? [] : [{ url, operations: new Map(operations) }];
  });
  assert.ok(paths.length > 25, `${paths.length} paths`);
});

/** Sends a chunked body: `inject` then sends no `content-length`. */
const chunked = (
  method: string,
  url: string,
  type: string,
  chunks: string[] = [],
  headers: Record<string, string> = {},
) =>
  plane.app.inject({
    method: method as 'GET',
    url,
    headers: {
      authorization: `Bearer ${PLATFORM_KEY}`,
      ...(type === '' ? {} : { 'content-type': type }),
      'transfer-encoding': 'chunked',
      ...headers,
    },
    payload: Readable.from(chunks),
  });

const ask = (method: string, url: string, headers: Record<string, string> = {}) =>
  plane.app.inject({
    method: method as 'GET',
    url,
    headers: { authorization: `Bearer ${PLATFORM_KEY}`, ...headers },
  });

/** The code of a problem; undefined: the body is an answer of another kind. */
const codeOf = (body: string): unknown =>
  body.startsWith('{') ? (JSON.parse(body) as { code?: string }).code : undefined;

test('every path answers other methods with 405 and OPTIONS with 204, and names its methods', async () => {
  for (const { url, operations } of paths) {
    // For other methods the last segment is the id of a subscription or of a dead letter.
    // Of a path below `events`, `tail` is the id of an event, too.
    if (/\/(dry-run|groups|revoke)$|\/none-0\/.*\/tail$/.test(url)) continue;
    const own = new Set([...operations.keys(), 'OPTIONS']);
    if (own.has('GET') && !withoutHead(url)) own.add('HEAD');
    const allow = [...own].toSorted().join(', ');
    for (const method of METHODS) {
      if (own.has(method) && method !== 'OPTIONS') continue;
      const answer = await ask(method, url);
      assert.equal(answer.statusCode, method === 'OPTIONS' ? 204 : 405, `${method} ${url}`);
      assert.equal(answer.headers['allow'], allow, `${method} ${url}`);
      if (method !== 'OPTIONS' && method !== 'HEAD') {
        assert.equal(answer.json().code, 'POSTHORN_METHOD_NOT_ALLOWED');
      }
    }
  }
});

test('HEAD answers as GET does, without a body', async () => {
  for (const { url, operations } of paths) {
    if (!operations.has('GET') || withoutHead(url)) continue;
    const [get, head] = [await ask('GET', url), await ask('HEAD', url)];
    assert.equal(head.statusCode, get.statusCode, url);
    assert.equal(head.body, '', url);
    assert.equal(head.headers['content-type'], get.headers['content-type'], url);
  }
});

test('a content type without a body changes nothing when no body is needed', async () => {
  let seen = 0;
  for (const { url, operations } of paths) {
    if (isEndless(url)) continue;
    for (const [method, { requestBody }] of operations) {
      if (requestBody?.required === true) continue;
      const plain = await ask(method, url);
      for (const type of CONTENT_TYPES) {
        const typed = await ask(method, url, { 'content-type': type, 'content-length': '0' });
        const empty = await chunked(method, url, type);
        const encoded = await chunked(method, url, type, [], { 'content-encoding': 'gzip' });
        for (const { statusCode, body } of [typed, empty, encoded]) {
          assert.equal(statusCode, plain.statusCode, `${method} ${url} ${type}: ${body}`);
          assert.equal(codeOf(body), codeOf(plain.body), `${method} ${url} ${type}`);
        }
      }
      if (method !== 'GET') seen++;
    }
  }
  assert.ok(seen >= 8, `${seen} routes change something without a body`);
});

test('rejects a body when none is needed, and every field of it', async () => {
  for (const { url, operations } of paths) {
    for (const [method, { requestBody }] of operations) {
      if (requestBody !== undefined || method === 'GET') continue;
      const fields = await chunked(method, url, 'application/json', ['{"a":1,', '"b":2}']);
      assert.equal(fields.statusCode, 400, `${method} ${url}: ${fields.body}`);
      assert.deepEqual(fields.json().errors, [
        { pointer: '/a', detail: 'unknown field' },
        { pointer: '/b', detail: 'unknown field' },
      ]);
      const text = await chunked(method, url, 'text/plain', ['a']);
      assert.equal(text.statusCode, 415, `${method} ${url}: ${text.body}`);
      assert.equal(text.json().detail, 'text/plain is not supported; send application/json');
    }
  }
});

test('rejects a repeated or reserved name at any depth of a body with its pointer', async () => {
  const bodies = [
    ['{"name":"a","name":"b"}', '/name', 'duplicate key'],
    ['{"a":[{},{"b":1,"c":2,"\\u0062":1}]}', '/a/1/b', 'duplicate key'],
    ['{"__proto__":{}}', '/__proto__', 'is a reserved name'],
    ['{"filter":{"a~/":{"\\u005f_proto__":1}}}', '/filter/a~0~1/__proto__', 'is a reserved name'],
  ] as const;
  let seen = 0;
  for (const { url, operations } of paths) {
    for (const [method, { requestBody }] of operations) {
      if (requestBody === undefined) continue;
      for (const [body, pointer, detail] of bodies) {
        const answer = await chunked(method, url, 'application/json', [body]);
        assert.equal(answer.statusCode, 400, `${method} ${url}: ${answer.body}`);
        assert.deepEqual(answer.json().errors, [{ pointer, detail }], `${method} ${url}`);
      }
      seen++;
    }
  }
  assert.ok(seen >= 10, `${seen} routes have a body`);
});

test('rejects an unknown query parameter on every route with 400', async () => {
  for (const { url, operations } of paths) {
    for (const [method, { security, requestBody }] of operations) {
      // Routes without a key are for browsers and probes; a required body is read first.
      if (security?.length === 0 || requestBody?.required === true) continue;
      const answer = await ask(method, `${url}?nonsense=1`);
      assert.equal(answer.statusCode, 400, `${method} ${url}: ${answer.body}`);
      const pointers = answer.json().errors.map((each: { pointer: string }) => each.pointer);
      assert.ok(pointers.includes('#query/nonsense'), `${method} ${url}: ${pointers}`);
    }
  }
});

test('every read has one media type, and ignores the header Accept', async () => {
  for (const { url, operations } of paths) {
    if (!operations.has('GET') || isEndless(url)) continue;
    const plain = await ask('GET', url);
    for (const accept of ['text/html', 'application/json;q=0', 'nonsense', '']) {
      const answer = await ask('GET', url, { accept });
      assert.equal(answer.statusCode, plain.statusCode, `${url}: ${accept}`);
      assert.equal(answer.headers['content-type'], plain.headers['content-type'], url);
    }
  }
});

test('a trailing slash, another case and an encoded slash name a different path', async () => {
  for (const { url, operations } of paths) {
    const [method] = operations.keys() as Iterable<string>;
    // Behind a collection an empty id follows.
    const slashed = await ask(method as string, `${url}/`);
    assert.ok([400, 404].includes(slashed.statusCode), `${url}/: ${slashed.body}`);
    if (!url.includes('none-0')) continue;
    const encoded = await ask(method as string, url.replace('none-0', 'none%2F0'));
    assert.ok([400, 404].includes(encoded.statusCode), `${url}: ${encoded.body}`);
  }
});

test('an id is decoded once', async () => {
  await plane.call('PUT', '/v1/tenants/plain-id', {});
  assert.equal((await ask('GET', '/v1/tenants/plain%2Did')).statusCode, 200);
  assert.equal((await ask('GET', '/v1/tenants/plain%252Did')).statusCode, 400);
});

test('rejects an oversized body of the control API with an error that does not call it an event', async () => {
  const payload = JSON.stringify({ name: 'x'.repeat(600_000) });
  const answer = await plane.app.inject({
    method: 'PUT',
    url: '/v1/tenants/plain-id',
    headers: { authorization: `Bearer ${PLATFORM_KEY}`, 'content-type': 'application/json' },
    payload,
  });
  assert.equal(answer.statusCode, 413);
  assert.equal(answer.json().code, 'POSTHORN_BODY_TOO_LARGE');
});

test('If-None-Match: * creates and never replaces, and a known ETag is answered with 304', async () => {
  const tenant = '/v1/tenants/conditional';
  const put = (path: string, name: string, value: string) =>
    plane.call('PUT', path, {}, { headers: { [name]: value } });
  for (const path of [tenant, '/v1/event-types/conditional.type']) {
    assert.equal((await put(path, 'if-match', '*')).status, 412, path);
    const made = await put(path, 'if-none-match', '*');
    assert.equal(made.status, 201, made.text);
    const etag = String(made.headers['etag']);
    assert.equal((await put(path, 'if-none-match', '*')).status, 412, path);
    assert.equal((await put(path, 'if-none-match', etag)).status, 412, path);
    assert.equal((await put(path, 'if-none-match', '"other"')).status, 200, path);
  }
  const made = await plane.call('POST', `${tenant}/endpoints`, { url: 'https://e.com/' });
  const endpoint = `${tenant}/endpoints/${made.body.id}`;
  const subscription = `${tenant}/subscriptions/${made.body.subscription_id}`;
  for (const path of [tenant, '/v1/event-types/conditional.type', endpoint, subscription]) {
    const etag = String((await ask('GET', path)).headers['etag']);
    for (const value of [etag, `W/${etag}`, `"0", ${etag}`, '*']) {
      for (const method of ['GET', 'HEAD']) {
        const same = await ask(method, path, { 'if-none-match': value });
        assert.equal(same.statusCode, 304, `${method} ${path} ${value}`);
        assert.equal(same.body, '');
        assert.equal(same.headers['etag'], etag);
      }
    }
    assert.equal((await ask('GET', path, { 'if-none-match': '"0"' })).statusCode, 200);
  }
  const conditions = [{ 'if-match': '"0"' }, { 'if-none-match': '*' }];
  const changes: [string, string, object?][] = [
    ['POST', `${endpoint}/rotate-secret`],
    ['PATCH', endpoint, { format: 'data' }],
    ['PATCH', subscription, { event_types: ['a.b'] }],
    ['DELETE', subscription],
    ['DELETE', endpoint],
    ['DELETE', tenant],
    ['DELETE', '/v1/event-types/conditional.type'],
  ];
  for (const [method, path, body] of changes) {
    for (const headers of conditions) {
      const refused = await plane.call(method, path, body, { headers });
      assert.equal(refused.status, 412, `${method} ${path}: ${refused.text}`);
    }
  }
});

test('every read meets if-match and if-none-match, with an ETag or without', async () => {
  let seen = 0;
  for (const { url, operations } of paths) {
    const { security } = operations.get('GET') ?? {};
    const path = url.replace('none-0', 'plain-id');
    // A live tail of an existing tenant has no end.
    if (!operations.has('GET') || security?.length === 0 || url.endsWith('/tail')) continue;
    const plain = await ask('GET', path);
    const expected = plain.statusCode === 200 ? [412, 304, 400] : Array(3).fill(plain.statusCode);
    const answers = [
      await ask('GET', path, { 'if-match': '"other"', 'if-none-match': '*' }),
      await ask('GET', path, { 'if-match': '*', 'if-none-match': '*' }),
      await ask('GET', path, { 'if-none-match': 'no-tag' }),
    ];
    assert.deepEqual(
      answers.map(({ statusCode }) => statusCode),
      expected,
      path,
    );
    if (plain.statusCode === 200) seen++;
  }
  assert.ok(seen >= 10, `${seen} reads`);
});

test('rejects a change of a resource without an ETag with 412 when a condition names one', async () => {
  let seen = 0;
  for (const { url, operations } of paths) {
    for (const [method, operation] of operations) {
      const names = (operation.parameters ?? []).map(({ name }) => name);
      if (method === 'GET' || names.includes('if-match')) continue;
      if (operation.requestBody?.required === true) continue;
      const path = url.replace('none-0', 'plain-id');
      const passed = await ask(method, path, { 'if-match': '*', 'if-none-match': '"3"' });
      assert.notEqual(passed.statusCode, 412, `${method} ${path}: ${passed.body}`);
      // Conditions are ignored if the resource is missing (RFC 9110, section 13.2.1).
      const expected = passed.statusCode === 404 ? 404 : 412;
      for (const headers of [{ 'if-match': '"3"' }, { 'if-none-match': '*' }]) {
        const refused = await ask(method, path, headers);
        assert.equal(refused.statusCode, expected, `${method} ${path}: ${refused.body}`);
      }
      seen++;
    }
  }
  assert.ok(seen >= 5, `${seen} changes`);
  await plane.call('PUT', '/v1/tenants/unversioned', {});
  const plans = '/v1/tenants/unversioned/plans';
  const plan = { action: 'discard', kind: 'dead_letters', all: true };
  for (const headers of [{ 'if-match': '"3"' }, { 'if-none-match': '*' }]) {
    assert.equal((await plane.call('POST', plans, plan, { headers })).status, 412);
  }
  const made = await plane.call('POST', '/v1/keys', { scope: 'platform' });
  const key = `/v1/keys/${made.body.id}`;
  assert.equal((await ask('DELETE', key, { 'if-match': '"3"' })).statusCode, 412);
  assert.equal((await ask('DELETE', key, { 'if-match': '*' })).statusCode, 204);
  const read = await ask('GET', '/v1/tenants/conditional-read', { 'if-match': '"3"' });
  assert.equal(read.statusCode, 404);
});

test('the detail names no change when if-match rejects a read', async () => {
  const tenant = '/v1/tenants/read-condition';
  await plane.call('PUT', tenant, {});
  const refused = await ask('GET', tenant, { 'if-match': '"other"' });
  assert.equal(refused.statusCode, 412);
  assert.match(refused.json().detail, /^the resource is now at "\d+"; read it without if-match$/);
});

test('rejects a number in a query that is not written in decimal digits', async () => {
  const wrong = [
    '0x10',
    '1e2',
    '5.0',
    '+5',
    ' 5',
    '5 ',
    '0b1',
    '0o7',
    '1_0',
    '٥',
    '',
    'true',
    '5e0',
  ];
  for (const text of wrong) {
    const answer = await ask('GET', `/v1/tenants?limit=${encodeURIComponent(text)}`);
    assert.equal(answer.statusCode, 400, text);
    assert.equal(answer.json().errors[0].pointer, '#query/limit', text);
  }
  for (const text of ['1', '007', '250']) {
    assert.equal((await ask('GET', `/v1/tenants?limit=${text}`)).statusCode, 200, text);
  }
  for (const text of ['1', 'REPLAYED', 'true', '']) {
    const path = `/v1/tenants/conditional/dead-letters?status=${text}`;
    assert.equal((await ask('GET', path)).statusCode, 400, text);
  }
});
