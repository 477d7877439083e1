import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { limits } from '#domain/limits.ts';
import { attemptRecord } from '#src/delivery/attempt/attempt.ts';
import type { Behaviour } from '#testkit/receiver-behaviour.ts';
import { makeCertificate } from '../../../../kit/network/certificates.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { closedPort, listenFor, rawServer } from '../raw-server.ts';
import { answerTo, failureOf, send, senderTo } from '../send-once.ts';

test('a request is sent unchanged, and a 2xx is success', async (t) => {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  receiver.otherwise({ status: 204, headers: { 'x-answer': ['1', '2'] } });
  const result = await send(senderTo(t, receiver.url().slice(0, -1)));
  assert.deepEqual(result.outcome, { ok: true, status: 204 });
  assert.equal(result.repeatedAtMs, undefined);
  assert.deepEqual(result.responseHeaders?.['x-answer'], ['1', '2']);
  const [request] = receiver.requests;
  assert.equal(request?.method, 'POST');
  assert.equal(request?.url, '/hook?a=1');
  assert.equal(request?.body.toString(), '{}');
  assert.equal(request?.headers['content-length'], '2');
});

for (const status of [400, 404, 410, 500, 503]) {
  test(`status ${status} is a failure with its status, and its body is kept`, async (t) => {
    const result = await answerTo(t, { status, body: 'why' });
    const { kind, status: stated, retryAfterMs } = failureOf(result);
    assert.deepEqual([kind, stated, retryAfterMs], ['http_status', status, undefined]);
    assert.equal(result.responseBody.toString(), 'why');
  });
}

for (const status of [301, 302, 307, 308]) {
  test(`a redirect (${status}) is not followed, and is a failure`, async (t) => {
    const receiver = await WebhookReceiver.start();
    t.after(() => receiver.close());
    receiver.on('/hook', { status, headers: { location: '/elsewhere' } });
    const { kind, status: stated } = failureOf(
      await send(senderTo(t, receiver.url().slice(0, -1))),
    );
    assert.deepEqual([kind, stated], ['redirect', status]);
    assert.deepEqual(
      receiver.requests.map(({ path }) => path),
      ['/hook'],
    );
  });
}

test('Retry-After is read in seconds and as a date', async (t) => {
  const seconds = await answerTo(t, { status: 429, headers: { 'retry-after': '120' } });
  assert.equal(failureOf(seconds).retryAfterMs, 120_000);
  const at = new Date(Date.now() + 600_000).toUTCString();
  const date = await answerTo(t, { status: 503, headers: { 'retry-after': at } });
  const ms = failureOf(date).retryAfterMs as number;
  assert.ok(ms > 0 && ms <= 600_000, String(ms));
});

test('the time limit ends the exchange and its connection when a receiver never answers', async (t) => {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  receiver.otherwise({ hang: 'request' });
  const limit = new AbortController();
  const sending = send(senderTo(t, receiver.url().slice(0, -1)), limit.signal);
  await receiver.waitFor(1);
  limit.abort();
  const { kind, status, detail } = failureOf(await sending);
  assert.deepEqual([kind, status], ['timeout', undefined]);
  assert.match(detail, /no answer/);
});

test('the time limit ends a dial when a receiver does not accept', async (t) => {
  // The backlog accepts the connection, but the receiver never reads from it.
  const port = await rawServer(t, (socket) => socket.pause());
  const result = await send(senderTo(t, `http://127.0.0.1:${port}`), AbortSignal.timeout(100));
  assert.equal(failureOf(result).kind, 'timeout');
});

/** Each longer than the previous one, for a busy machine. */
const LIMITS_MS = [500, 4000, 30_000];
const neverEnding: [string, Behaviour][] = [
  ['hangs inside the body', { hang: 'body' }],
  ['trickles byte by byte', { trickleMs: 5, bytes: 1_000_000 }],
];
for (const [what, behaviour] of neverEnding) {
  test(`the status of an answer that ${what} counts, and the time limit ends it`, async (t) => {
    const receiver = await WebhookReceiver.start();
    t.after(() => receiver.close());
    receiver.otherwise(behaviour);
    const sender = senderTo(t, receiver.url().slice(0, -1));
    for (const limitMs of LIMITS_MS) {
      const { outcome, note } = await send(sender, AbortSignal.timeout(limitMs));
      // Too short for this machine: the status had not arrived.
      if (!outcome.ok && limitMs !== LIMITS_MS.at(-1)) continue;
      assert.deepEqual(outcome, { ok: true, status: 200 });
      assert.equal(note, 'the body did not end in time');
      return;
    }
  });
}

test('nothing is sent when the time limit has passed before the start', async (t) => {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  const sender = senderTo(t, receiver.url().slice(0, -1));
  const result = await send(sender, AbortSignal.abort());
  assert.equal(failureOf(result).kind, 'timeout');
  assert.equal((await send(sender)).outcome.ok, true);
  assert.equal(receiver.requests.length, 1);
});

test('an endless answer is truncated: its status counts, its first 4 KiB are kept', async (t) => {
  const result = await answerTo(t, { endless: true, status: 200 });
  assert.deepEqual(result.outcome, { ok: true, status: 200 });
  assert.equal(result.responseBody.length, limits.responseBodyKeptBytesMax);
  const failed = await answerTo(t, { endless: true, status: 500 });
  assert.equal(failureOf(failed).status, 500);
});

const headersWithoutEnd = `HTTP/1.1 200 OK\r\n${'x-a: 1234567890\r\n'.repeat(2000)}\r\n`;
const wrong: [string, Behaviour, string][] = [
  ['garbage', { raw: 'this is not HTTP\r\n\r\n' }, 'bad_response'],
  ['more headers than are read', { raw: headersWithoutEnd }, 'bad_response'],
  ['a reset', { cut: 'reset' }, 'reset'],
  ['an end without an answer', { cut: 'end' }, 'reset'],
];
for (const [what, behaviour, kind] of wrong) {
  test(`an exchange that gets ${what} fails with ${kind}, and is not repeated immediately`, async (t) => {
    const result = await answerTo(t, behaviour);
    assert.equal(failureOf(result).kind, kind, failureOf(result).detail);
    assert.equal(result.repeatedAtMs, undefined);
  });
}

test('a dial fails with kind connect when the port has no listener', async (t) => {
  const result = await send(senderTo(t, `http://127.0.0.1:${await closedPort()}`));
  const { kind, detail } = failureOf(result);
  assert.equal(kind, 'connect');
  assert.match(detail, /ECONNREFUSED/);
});

test('a dial fails with kind dns when the name does not exist', async (t) => {
  const result = await send(senderTo(t, 'http://no-such-host.invalid'));
  assert.equal(failureOf(result).kind, 'dns', failureOf(result).detail);
});

test('a dial fails with kind tls when the certificate is untrusted or the port does not speak TLS', async (t) => {
  const port = await listenFor(t, createTlsServer(makeCertificate()));
  for (const host of ['127.0.0.1', 'localhost']) {
    const result = await send(senderTo(t, `https://${host}:${port}`));
    assert.equal(failureOf(result).kind, 'tls', failureOf(result).detail);
  }
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  const plain = await send(senderTo(t, `https://127.0.0.1:${receiver.port}`));
  assert.equal(failureOf(plain).kind, 'tls', failureOf(plain).detail);
});

for (const host of [
  '127.0.0.1',
  'localhost',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '2130706433',
  '0x7f.1',
]) {
  test(`the forbidden address ${host} is not dialled`, async (t) => {
    let dialled = 0;
    const port = await rawServer(t, () => dialled++);
    const result = await send(senderTo(t, `http://${host}:${port}`, { allow: '' }));
    assert.equal(failureOf(result).kind, 'forbidden_address', failureOf(result).detail);
    assert.equal(result.repeatedAtMs, undefined);
    assert.equal(dialled, 0);
  });
}

test('a name that leads to an allowed address is dialled', async (t) => {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  const result = await send(senderTo(t, `http://localhost:${receiver.port}`));
  assert.deepEqual(result.outcome, { ok: true, status: 200 });
});

const kept = limits.responseBodyKeptBytesMax;
const bodies: [string, Buffer, string, 'base64' | undefined][] = [
  ['short text', Buffer.from('ok'), 'ok', undefined],
  ['nothing', Buffer.alloc(0), '', undefined],
  ['text cut at 4 KiB', Buffer.alloc(5000, 'x'), 'x'.repeat(kept), undefined],
  [
    'text cut in the middle of a character of two bytes',
    Buffer.from(`x${'ä'.repeat(3000)}`),
    `x${'ä'.repeat((kept - 2) / 2)}`,
    undefined,
  ],
  [
    'text cut in the middle of a character of four bytes',
    Buffer.from(`xxx${'\u{1f600}'.repeat(2000)}`),
    `xxx${'\u{1f600}'.repeat(kept / 4 - 1)}`,
    undefined,
  ],
  ['bytes', Buffer.from([0, 255, 254]), 'AP/+', 'base64'],
  [
    'bytes cut at 4 KiB',
    Buffer.alloc(5000, 255),
    Buffer.alloc(kept, 255).toString('base64'),
    'base64',
  ],
];
for (const [what, body, stated, encoding] of bodies) {
  test(`the answer's body is kept for the history: ${what}`, async (t) => {
    const result = await answerTo(t, { status: 500, body });
    const record = attemptRecord(1, 'w', 1000, 1.234, result);
    assert.equal(record.responseBody ?? '', stated);
    assert.equal(record.responseBodyEncoding, encoding);
    assert.equal(record.status, 500);
    assert.equal(record.failure, 'http_status');
  });
}

test('the headers of an answer are kept within bounds, under names that MongoDB accepts', async (t) => {
  const lines = Array.from({ length: 50 }, (_, i) => `x-${i}: ${'v'.repeat(200)}`);
  const result = await answerTo(t, {
    raw: `HTTP/1.1 200 OK\r\nx.dotted: 1\r\n$x: 1\r\nx-long: ${'v'.repeat(600)}\r\n${lines.join('\r\n')}\r\ncontent-length: 0\r\n\r\n`,
  });
  assert.deepEqual(result.outcome, { ok: true, status: 200 });
  const headers = attemptRecord(1, 'w', 1000, 1, result).responseHeaders ?? {};
  assert.equal(Object.keys(headers).length, limits.responseHeadersKeptMax);
  assert.equal(headers['x-long']?.length, limits.responseHeaderValueKeptLengthMax);
  assert.ok(!('x.dotted' in headers) && !('$x' in headers));
});
