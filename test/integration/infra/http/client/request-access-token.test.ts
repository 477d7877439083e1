import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { LenientOrigins } from '#infra/http/exchange/lenient-origins.ts';
import { lookUpBySystem } from '#infra/http/dial/dns-cache.ts';
import { requestAccessToken } from '#infra/http/client/request-access-token.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { rawServer } from '../raw-server.ts';

const HOUR_MS = 3_600_000;
const guard = new EgressGuard('127.0.0.0/8');

async function keptFor(t: Parameters<typeof receiverOf>[0], fields: string): Promise<number> {
  const receiver = await receiverOf(t);
  receiver.otherwise({ status: 200, body: `{"access_token": "t"${fields}}` });
  const answer = await ask(receiver.url('/'), 5000);
  assert.ok(answer.ok);
  return answer.keepMs;
}

async function receiverOf(t: { after: (fn: () => Promise<void>) => void }) {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  return receiver;
}

const ask = (
  tokenUrl: string,
  timeoutMs: number,
  by = guard,
  lenientOrigins = new LenientOrigins(() => performance.now()).of('acme'),
) =>
  requestAccessToken(
    {
      type: 'oauth2',
      tokenUrl,
      clientId: 'c',
      clientSecret: 's',
      authMethod: 'client_secret_basic',
    },
    {
      clock: systemClock,
      guard: by,
      lookUpAddresses: (hostname, _timeoutMs, found) => lookUpBySystem(hostname, found),
      lenientOrigins,
      isResolverDown: () => false,
      timeoutMs,
    },
  );

const lives: [answer: string, keepMs: number][] = [
  [', "expires_in": 3600', HOUR_MS - 60_000],
  // A tenth, if that is less than a minute.
  [', "expires_in": 100', 90_000],
  [', "expires_in": "100"', 90_000],
  ['', 270_000],
  [', "expires_in": null', 270_000],
  [', "expires_in": "soon"', 270_000],
  [', "expires_in": 0', 0],
  [', "expires_in": -5', 0],
  [', "expires_in": 1e999', 24 * HOUR_MS],
  [', "token_type": "bearer", "expires_in": 3600', HOUR_MS - 60_000],
];
for (const [fields, keepMs] of lives) {
  test(`a token is kept for its lifetime less a margin: ${fields || 'no lifetime'}`, async (t) => {
    assert.equal(await keptFor(t, fields), keepMs);
  });
}

test("a token endpoint's empty query is kept, and a trailing dot of its host is removed", async (t) => {
  const receiver = await receiverOf(t);
  receiver.otherwise({ status: 200, body: '{"access_token": "t"}' });
  assert.ok((await ask(`http://localhost.:${receiver.port}/token?`, 5000)).ok);
  assert.equal(receiver.requests[0]?.url, '/token?');
  assert.equal(receiver.requests[0].headers['host'], `localhost:${receiver.port}`);
});

test('a hanging token endpoint is abandoned at the time limit, even within its body', async (t) => {
  const receiver = await receiverOf(t);
  const faults = {
    request: 'did not return a token: timeout: no answer came in time',
    body: 'sent an incomplete answer: the body did not end in time',
  };
  for (const hang of ['request', 'body'] as const) {
    receiver.otherwise({ hang });
    const answer = await ask(receiver.url('/'), 300);
    assert.ok(!answer.ok);
    assert.equal(answer.detail, `the token endpoint ${faults[hang]}`);
  }
});

test('rejects a token endpoint whose name leads to a forbidden address', async (t) => {
  const receiver = await receiverOf(t);
  const answer = await ask(`https://localhost:${receiver.port}/`, 5000, new EgressGuard(''));
  assert.ok(!answer.ok);
  assert.match(answer.detail, /forbidden_address/);
  assert.equal(receiver.requests.length, 0);
});

test('a token endpoint that sends an unrequested 100 gives a token from the second request on', async (t) => {
  const port = await rawServer(t, (socket) => {
    const body = '{"access_token": "t"}';
    const head = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}`;
    socket.on('data', (chunk: Buffer) => {
      if (!chunk.includes('grant_type=')) return;
      socket.write(`HTTP/1.1 100 Continue\r\n\r\n${head}\r\n\r\n${body}`);
    });
  });
  const lenientOrigins = new LenientOrigins(() => performance.now()).of('acme');
  const url = `http://127.0.0.1:${port}/`;
  const first = await ask(url, 5000, guard, lenientOrigins);
  assert.match(first.ok ? '' : first.detail, /bad_response: the receiver sent 100 Continue/);
  const second = await ask(url, 5000, guard, lenientOrigins);
  assert.equal(second.ok && second.token, 't');
});
