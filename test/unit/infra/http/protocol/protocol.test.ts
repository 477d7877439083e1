import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '#infra/system-clock.ts';
import { createApp } from '#infra/http/server/app.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { limits } from '#domain/limits.ts';

const settings = {
  readTimeoutMs: 15_000,
  idleTimeoutMs: 72_000,
  writeTimeoutMs: 30_000,
};

async function listen(t: TestContext, changed: Partial<typeof settings> = {}): Promise<number> {
  const app = createApp({
    clock: systemClock,
    settings: { ...settings, ...changed },
    log: createLog('silent'),
  });
  app.get('/things/:id', () => ({}));
  app.post('/things/:id', () => ({}));
  app.delete('/things/:id/parts/:part', () => ({}));
  t.after(() => app.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

/** Returns every byte that is answered until the server closes the connection. */
async function send(t: TestContext, port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return received;
}

const close = 'connection: close\r\n';
const host = `host: a\r\n${close}`;
const post = (more: string, body: string): string =>
  `POST /things/1 HTTP/1.1\r\n${host}${more}\r\n${body}`;
const long = 'x'.repeat(limits.requestTargetLengthMax);

const refusals: { what: string; request: string; status: number; code: string; detail?: RegExp }[] =
  [
    {
      what: 'an invalid request line',
      request: 'NOT HTTP\r\n\r\n',
      status: 400,
      code: 'REQUEST_INVALID',
    },
    {
      what: 'TLS on the port',
      request: '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n',
      status: 400,
      code: 'REQUEST_INVALID',
    },
    {
      what: 'an unknown method',
      request: `BREW /things/1 HTTP/1.1\r\n${host}\r\n`,
      status: 501,
      code: 'METHOD_UNKNOWN',
    },
    ...['0.9', '2.0', '3.0', '1.2'].map((version) => ({
      what: `HTTP/${version} in text`,
      request: `GET /things/1 HTTP/${version}\r\n${host}\r\n`,
      status: 505,
      code: 'HTTP_VERSION_UNSUPPORTED',
      detail: new RegExp(`HTTP/${version} is not supported; use HTTP/1.1`),
    })),
    {
      what: 'the preface of HTTP/2',
      request: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      status: 505,
      code: 'HTTP_VERSION_UNSUPPORTED',
    },
    {
      what: 'CONNECT',
      request: `CONNECT a:443 HTTP/1.1\r\n${host}\r\n`,
      status: 501,
      code: 'METHOD_UNKNOWN',
    },
    {
      what: 'HTTP/1.1 without a host',
      request: `GET /things/1 HTTP/1.1\r\n${close}\r\n`,
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /#header\/host is required/,
    },
    {
      what: 'two hosts',
      request: `GET /things/1 HTTP/1.1\r\nHost: b\r\n${host}\r\n`,
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /#header\/host duplicate key/,
    },
    {
      what: 'two keys',
      request: `GET /things/1 HTTP/1.1\r\n${host}authorization: a\r\nAuthorization: b\r\n\r\n`,
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /#header\/authorization duplicate key/,
    },
    {
      what: 'a host with a path',
      request: `GET /things/1 HTTP/1.1\r\nHost: a b/c\r\n${close}\r\n`,
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /#header\/host must be a host name or address/,
    },
    {
      what: 'two idempotency keys',
      request: `GET /things/1 HTTP/1.1\r\n${host}idempotency-key: a\r\nIdempotency-Key: b\r\n\r\n`,
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /#header\/idempotency-key duplicate key/,
    },
    {
      what: 'two content types',
      request: post('content-type: a/b\r\ncontent-type: c/d\r\ncontent-length: 1\r\n', 'x'),
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /#header\/content-type duplicate key/,
    },
    {
      what: 'a header field with a character that is not allowed',
      request: `GET /things/1 HTTP/1.1\r\n${host}a b: c\r\n\r\n`,
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /character/,
    },
    {
      what: 'a length with chunks',
      request: post('content-length: 1\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'),
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /without content-length/,
    },
    {
      what: 'chunks with a length',
      request: post('transfer-encoding: chunked\r\ncontent-length: 1\r\n', '0\r\n\r\n'),
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /combined with transfer-encoding/,
    },
    {
      what: 'a request line that ends with LF alone',
      request: `GET /things/1 HTTP/1.1\nhost: a\n\n`,
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /HTTP\/1\.1 and CRLF/,
    },
    {
      what: 'a header field that ends with LF alone',
      request: `GET /things/1 HTTP/1.1\r\nhost: a\n\n`,
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /does not end with CRLF/,
    },
    {
      what: 'a chunk whose size overflows',
      request: post('transfer-encoding: chunked\r\n', `${'f'.repeat(17)}\r\n`),
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /below 2\^64/,
    },
    {
      what: 'a chunk without a size',
      request: post(
        'content-type: application/json\r\ntransfer-encoding: chunked\r\n',
        'zz\r\n{}\r\n',
      ),
      status: 400,
      code: 'REQUEST_INVALID',
      detail: /hexadecimal/,
    },
    {
      what: 'an expectation that cannot be met',
      request: post('expect: a-miracle\r\ncontent-length: 0\r\n', ''),
      status: 417,
      code: 'EXPECTATION_FAILED',
      detail: /a-miracle/,
    },
    {
      what: 'header fields over the limit',
      request: `GET /things/1 HTTP/1.1\r\n${host}a: ${'x'.repeat(20_000)}\r\n\r\n`,
      status: 431,
      code: 'HEADERS_TOO_LARGE',
    },
    {
      what: 'a URL over the limit',
      request: `GET /things/1?${long} HTTP/1.1\r\n${host}\r\n`,
      status: 414,
      code: 'URL_TOO_LONG',
    },
    {
      what: 'a URL over all that a head may have',
      request: `GET /things/1?${long.repeat(4)} HTTP/1.1\r\n${host}\r\n`,
      status: 414,
      code: 'URL_TOO_LONG',
    },
  ];
for (const { what, request, status, code, detail = /./ } of refusals) {
  test(`the server answers ${status} and a problem for ${what}`, async (t) => {
    const answer = await send(t, await listen(t), request);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.match(answer, /\r\ncontent-type: application\/problem\+json\r\n/i);
    const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
    assert.equal(problem.code, `POSTHORN_${code}`);
    assert.equal(problem.status, status);
    assert.match(problem.detail, detail);
    assert.match(answer, new RegExp(`\\r\\nx-request-id: ${problem.request_id}\\r\\n`, 'i'));
  });
}

test('the server answers 505 when the preface of HTTP/2 arrives byte by byte', async (t) => {
  const port = await listen(t);
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  t.after(() => socket.destroy());
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  for (const byte of 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') {
    socket.write(byte);
    // The loop reads, so that the server gets the bytes before the next one.
    await setImmediate();
  }
  await once(socket, 'close');
  assert.match(received, /^HTTP\/1\.1 505 /);
});

for (const [what, request] of [
  ['the head', 'POST /things/1 HTTP/1.1\r\nhost: a\r\n'],
  [
    'the body',
    'POST /things/1 HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
  ],
] as const) {
  // Without an answer the connection would end at the write timeout, silently.
  test(`a request is answered with 408 when ${what} does not arrive`, async (t) => {
    const port = await listen(t, {
      readTimeoutMs: 100,
      writeTimeoutMs: 20_000,
    });
    const answer = await send(t, port, request);
    assert.match(answer, /^HTTP\/1\.1 408 /);
    assert.match(answer, /POSTHORN_REQUEST_TIMEOUT/);
  });
}

test('a path names its methods when it is requested with another one', async (t) => {
  const port = await listen(t);
  const ask = async (method: string, path: string) => {
    const answer = await send(t, port, `${method} ${path} HTTP/1.1\r\n${host}\r\n`);
    return {
      status: Number(answer.split(' ', 2)[1]),
      allow: /\r\nallow: (.*)\r\n/i.exec(answer)?.[1],
    };
  };
  const allowed = 'GET, HEAD, OPTIONS, POST';
  for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY']) {
    assert.deepEqual(await ask(method, '/things/1?x=1'), { status: 405, allow: allowed }, method);
  }
  assert.deepEqual(await ask('OPTIONS', '/things/1'), { status: 204, allow: allowed });
  assert.deepEqual(await ask('GET', '/things/1/parts/2'), {
    status: 405,
    allow: 'DELETE, OPTIONS',
  });
  assert.deepEqual(await ask('OPTIONS', '*'), {
    status: 204,
    allow: 'DELETE, GET, HEAD, OPTIONS, POST',
  });
  for (const path of ['/things', '/things/1/', '/things/1/2', '/Things/1', '//things/1']) {
    assert.deepEqual(await ask('PUT', path), { status: 404, allow: undefined }, path);
  }
});
