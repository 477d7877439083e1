import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { MongoServerError, MongoServerSelectionError } from 'mongodb';
import { systemClock } from '#infra/system-clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { createApp } from '#infra/http/server/app.ts';
import { createLog } from '#infra/telemetry/log.ts';

const settings = {
  readTimeoutMs: 15_000,
  idleTimeoutMs: 72_000,
  writeTimeoutMs: 30_000,
};

const strictBody = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: { name: { type: 'string' }, size: { type: 'integer', minimum: 1 } },
};

function testApp(t: TestContext) {
  const app = createApp({ clock: systemClock, settings, log: createLog('silent') });
  app.post('/things/:id', {
    schema: {
      body: strictBody,
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: { limit: { type: 'integer', minimum: 1 } },
      },
    },
    handler: (request) => ({ body: request.body, query: request.query }),
  });
  app.get('/fails/:how', (request) => {
    switch ((request.params as { how: string }).how) {
      case 'mongo':
        throw new MongoServerSelectionError('no server', {} as never);
      case 'password':
        throw new MongoServerError({ errmsg: 'Authentication failed.', code: 18 });
      case 'ours':
        throw new PosthornError('POSTHORN_OVERLOADED', { retryAfterSeconds: 7 });
      case 'key':
        throw new PosthornError('POSTHORN_KEY_MISSING');
      case 'search':
        throw new MongoServerError({ code: 50, errmsg: 'operation exceeded time limit' });
      default:
        throw new TypeError('the secret is whsec_1');
    }
  });
  t.after(() => app.close());
  return app;
}

const json = { 'content-type': 'application/json' };

test('the app rejects a body with the pointer of every invalid or unknown field', async (t) => {
  const answer = await testApp(t).inject({
    method: 'POST',
    url: '/things/1',
    headers: json,
    payload: '{"size":"1","nam/e":"x"}',
  });
  assert.equal(answer.statusCode, 400);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  const problem = answer.json();
  assert.equal(problem.code, 'POSTHORN_REQUEST_INVALID');
  assert.equal(problem.type, '/errors/POSTHORN_REQUEST_INVALID');
  assert.equal(problem.instance, '/things/1');
  assert.equal(problem.request_id, answer.headers['x-request-id']);
  assert.deepEqual(problem.errors.map((e: { pointer: string }) => e.pointer).sort(), [
    '/name',
    '/nam~1e',
    '/size',
  ]);
});

test('the app rejects a body of an unsupported media type, plain text included, with 415', async (t) => {
  const app = testApp(t);
  for (const type of ['text/plain', 'application/xml']) {
    const headers = { 'content-type': type };
    const payload = '{"name":"x"}';
    const answer = await app.inject({ method: 'POST', url: '/things/1', headers, payload });
    assert.equal(answer.statusCode, 415, type);
    assert.equal(answer.json().code, 'POSTHORN_MEDIA_TYPE_UNSUPPORTED');
  }
});

test('the app rejects a content type that is not one media type with 415 that says so', async (t) => {
  const app = testApp(t);
  for (const type of ['', '/', 'application/json, text/plain']) {
    const headers = { 'content-type': type };
    const answer = await app.inject({ method: 'POST', url: '/things/1', headers, payload: '{}' });
    assert.equal(answer.statusCode, 415, type);
    const { detail } = answer.json();
    assert.equal(detail, 'content-type is not one media type, like application/json', type);
  }
});

test('the app answers 422 when a search exceeds its time limit', async (t) => {
  const answer = await testApp(t).inject({ url: '/fails/search' });
  assert.equal(answer.statusCode, 422);
  assert.equal(answer.json().code, 'POSTHORN_SEARCH_TOO_LONG');
});

test('the app converts a query from text and names its invalid fields', async (t) => {
  const app = testApp(t);
  const payload = { name: 'x' };
  const good = await app.inject({ method: 'POST', url: '/things/1?limit=5', payload });
  assert.deepEqual(good.json().query, { limit: 5 });
  const bad = await app.inject({ method: 'POST', url: '/things/1?limit=0&page=2', payload });
  assert.deepEqual(
    bad.json().errors.map((e: { pointer: string }) => e.pointer),
    ['#query/page', '#query/limit'],
  );
  assert.equal(bad.json().instance, '/things/1');
});

const refusals: [string, number, string, { url?: string; headers?: object; payload?: string }][] = [
  ['truncated JSON', 400, 'POSTHORN_BODY_INVALID', { headers: json, payload: '{"name":' }],
  ['an empty body', 400, 'POSTHORN_BODY_INVALID', { headers: json, payload: '' }],
  [
    'another content type',
    415,
    'POSTHORN_MEDIA_TYPE_UNSUPPORTED',
    { headers: { 'content-type': 'text/csv' }, payload: 'a,b' },
  ],
  [
    'a body over the limit',
    413,
    'POSTHORN_BODY_TOO_LARGE',
    { headers: json, payload: `{"name":"${'x'.repeat(600_000)}"}` },
  ],
  ['an unknown route', 404, 'POSTHORN_ROUTE_UNKNOWN', { url: '/nothing/here?x=1' }],
  ['a path that cannot be decoded', 400, 'POSTHORN_REQUEST_INVALID', { url: '/things/%zz' }],
];
for (const [what, status, code, request] of refusals) {
  test(`the app answers ${status} ${code} for ${what}`, async (t) => {
    const answer = await testApp(t).inject({
      method: 'POST',
      url: '/things/1',
      ...(request as { payload?: string }),
    });
    assert.equal(answer.statusCode, status, answer.body);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(answer.json().code, code);
    assert.equal(answer.json().status, status);
    assert.ok(answer.headers['x-request-id']);
  });
}

test('the app answers 503 with Retry-After when MongoDB is unreachable or rejects the password', async (t) => {
  for (const how of ['mongo', 'password']) {
    const answer = await testApp(t).inject(`/fails/${how}`);
    assert.equal(answer.statusCode, 503, how);
    assert.equal(answer.json().code, 'POSTHORN_MONGODB_UNAVAILABLE');
    assert.equal(answer.headers['retry-after'], '1');
  }
});

test('the app keeps the Retry-After of our own errors, and names the scheme in a 401', async (t) => {
  const app = testApp(t);
  assert.equal((await app.inject('/fails/ours')).headers['retry-after'], '7');
  assert.equal((await app.inject('/fails/key')).headers['www-authenticate'], 'Bearer');
});

test('the app answers 500 without details when an error is unexpected', async (t) => {
  const answer = await testApp(t).inject('/fails/otherwise');
  assert.equal(answer.statusCode, 500);
  assert.equal(answer.json().code, 'POSTHORN_UNEXPECTED');
  assert.ok(!answer.body.includes('whsec_'));
});

test('the app keeps a valid correlation id and replaces an invalid one', async (t) => {
  const app = testApp(t);
  const ask = async (headers: Record<string, string>) =>
    (await app.inject({ url: '/health', headers })).headers['x-request-id'];
  assert.equal(await ask({ 'x-request-id': 'abc-1' }), 'abc-1');
  assert.equal(await ask({ 'x-correlation-id': 'abc-2' }), 'abc-2');
  assert.match(String(await ask({ 'x-request-id': 'a"b' })), /^req_/);
  assert.match(String(await ask({ 'x-request-id': 'a'.repeat(129) })), /^req_/);
});

test('every answer carries the security headers, including errors', async (t) => {
  const app = testApp(t);
  for (const url of ['/health', '/nothing', '/fails/otherwise', '/things/%zz']) {
    const { headers } = await app.inject(url);
    assert.equal(headers['x-content-type-options'], 'nosniff', url);
    assert.match(String(headers['content-security-policy']), /default-src 'none'/, url);
    assert.equal(headers['access-control-allow-origin'], undefined, url);
  }
});

test('the app answers a problem and closes the connection when the bytes are not HTTP', async (t) => {
  const app = testApp(t);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.end('NOT HTTP\r\n\r\n');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  await once(socket, 'close');
  assert.match(text, /^HTTP\/1\.1 400 /);
  assert.match(text, /application\/problem\+json/);
});
