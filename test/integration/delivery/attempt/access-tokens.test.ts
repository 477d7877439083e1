import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import type { OAuth2Credentials } from '#domain/endpoint/outbound-credentials.ts';
import type { Behaviour } from '#testkit/receiver-behaviour.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { closedPort } from '../../infra/http/raw-server.ts';
import { Worker, type WorkerOptions } from '../worker.ts';

const SECRET = 'client-secret-0123456789';

const tokenAnswer = (fields: object): Behaviour => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ token_type: 'Bearer', expires_in: 3600, ...fields }),
});

/** A worker, and a token endpoint that issues `token-number-1`, `token-number-2`, … */
async function start(t: Parameters<typeof Worker.start>[0], options: WorkerOptions = {}) {
  const auth = await WebhookReceiver.start();
  t.after(() => auth.close());
  const worker = await Worker.start(t, options);
  auth.otherwise((_, nth) => tokenAnswer({ access_token: `token-number-${nth}` }));
  const endpoint = (id: string, changes: Partial<OAuth2Credentials> = {}): void => {
    const credentials: OAuth2Credentials = {
      type: 'oauth2',
      tokenUrl: auth.url('/token?a=1'),
      clientId: 'me and you',
      clientSecret: SECRET,
      authMethod: 'client_secret_basic',
      ...changes,
    };
    worker.endpoint('acme', id, worker.sealed(id, { credentials }));
  };
  const authorizations = (id: string): (string | undefined)[] =>
    worker.receiver.at(`/acme/${id}`).map(({ headers }) => headers['authorization']);
  return { auth, worker, endpoint, authorizations };
}

async function deliver(worker: Worker, endpoint: string) {
  const { delivery } = await worker.publishDelivery('acme', endpoint);
  return worker.recordsUntil(delivery.id, 'delivered');
}

test('one token serves all attempts of an endpoint, even simultaneous ones', async (t) => {
  const { auth, worker, endpoint, authorizations } = await start(t);
  const scope = 'webhooks write';
  endpoint('ep_1', { scope, audience: 'https://api.example.com' });
  const gate = Promise.withResolvers<void>();
  auth.on('/token', { ...tokenAnswer({ access_token: 'the-only-one' }), until: gate.promise });
  const published = await Promise.all(
    Array.from({ length: 10 }, () => worker.publishDelivery('acme', 'ep_1')),
  );
  const running = () => worker.metric('posthorn_delivery_in_flight');
  await waitUntil(async () => (await running()) === 10, { what: 'all ten wait for the token' });
  gate.resolve();
  for (const { delivery } of published) await worker.recordsUntil(delivery.id, 'delivered');
  await deliver(worker, 'ep_1');
  assert.deepEqual(authorizations('ep_1'), Array(11).fill('Bearer the-only-one'));
  assert.equal(auth.requests.length, 1);
  const [request] = auth.requests;
  assert.equal(request?.url, '/token?a=1');
  // Form-encoded before they are joined (RFC 6749, section 2.3.1).
  const pair = Buffer.from(`me+and+you:${SECRET}`).toString('base64');
  assert.equal(request.headers['authorization'], `Basic ${pair}`);
  assert.deepEqual(Object.fromEntries(new URLSearchParams(request.body.toString())), {
    grant_type: 'client_credentials',
    scope,
    audience: 'https://api.example.com',
  });
});

test('client_secret_post sends the secret in the form', async (t) => {
  const { auth, worker, endpoint } = await start(t);
  endpoint('ep_1', { authMethod: 'client_secret_post' });
  await deliver(worker, 'ep_1');
  assert.equal(auth.requests[0]?.headers['authorization'], undefined);
  assert.deepEqual(Object.fromEntries(new URLSearchParams(auth.requests[0]?.body.toString())), {
    grant_type: 'client_credentials',
    client_id: 'me and you',
    client_secret: SECRET,
  });
});

test('an endpoint gets a new token after expiry or a change of its credentials, and shares none with another endpoint', async (t) => {
  const { auth, worker, endpoint, authorizations } = await start(t);
  auth.otherwise((_, nth) => tokenAnswer({ access_token: `short-${nth}`, expires_in: 0 }));
  endpoint('short');
  await deliver(worker, 'short');
  await deliver(worker, 'short');
  assert.deepEqual(authorizations('short'), ['Bearer short-1', 'Bearer short-2']);
  auth.on('/b', (_, nth) => tokenAnswer({ access_token: `long-${nth}` }));
  const tokenUrl = auth.url('/b');
  endpoint('long', { tokenUrl });
  await deliver(worker, 'long');
  endpoint('long', { tokenUrl });
  await deliver(worker, 'long');
  await deliver(worker, 'long');
  endpoint('other', { tokenUrl });
  await deliver(worker, 'other');
  assert.deepEqual(authorizations('long'), ['Bearer long-1', 'Bearer long-2', 'Bearer long-2']);
  assert.deepEqual(authorizations('other'), ['Bearer long-3']);
});

test('a 401 drops the token: one request for each attempt, the next one with a new token', async (t) => {
  const { worker, endpoint, authorizations } = await start(t, {
    // Even if 401 is final: the receiver may have revoked the token early.
    retryPolicy: { delaysSeconds: [0.3, 0.3], finalStatuses: [401], retryAfterMaxMs: 0 },
  });
  endpoint('ep_1');
  await deliver(worker, 'ep_1');
  worker.receiver.otherwise(({ headers }) => ({
    status: headers['authorization'] === 'Bearer token-number-2' ? 200 : 401,
  }));
  const records = await deliver(worker, 'ep_1');
  assert.deepEqual(
    records.map(({ attempt }) => [attempt?.failure, attempt?.status]),
    [
      ['credentials_failed', 401],
      [undefined, 200],
    ],
  );
  assert.deepEqual(authorizations('ep_1'), [
    'Bearer token-number-1',
    'Bearer token-number-1',
    'Bearer token-number-2',
  ]);
  // With a token requested for this very attempt, 401 is the receiver's answer, and final.
  worker.receiver.otherwise({ status: 401 });
  endpoint('ep_2');
  const { delivery } = await worker.publishDelivery('acme', 'ep_2');
  const last = (await worker.recordsUntil(delivery.id, 'failed')).at(-1);
  assert.deepEqual([last?.reason, last?.attempt?.failure], ['final_status', 'http_status']);
});

const wrong: [what: string, behaviour: Behaviour, detail: RegExp][] = [
  ['500', { status: 500, body: SECRET }, /answered 500$/],
  ['a known error', { status: 401, body: '{"error":"invalid_client"}' }, /401 \(invalid_client\)/],
  ['its own error', { status: 400, body: `{"error":"${SECRET}"}` }, /answered 400$/],
  ['a redirect', { status: 307, headers: { location: '/b' } }, /307; redirects are not followed/],
  ['garbage', { status: 200, body: `no JSON ${SECRET}` }, /JSON object/],
  ['a list', { status: 200, body: '[]' }, /JSON object/],
  ['no token', tokenAnswer({}), /no access_token/],
  ['a token that is no text', tokenAnswer({ access_token: 1 }), /no access_token/],
  ['another type', tokenAnswer({ access_token: 'x', token_type: 'mac' }), /other than Bearer/],
  ['a line break', tokenAnswer({ access_token: 'a\r\nb: c' }), /not valid in a header field/],
  [
    'a huge token',
    tokenAnswer({ access_token: 'x'.repeat(limits.accessTokenLengthMax + 1) }),
    /longer than/,
  ],
  [
    'a huge answer',
    tokenAnswer({ access_token: 'x', more: 'x'.repeat(limits.tokenAnswerBytesMax) }),
    /more than/,
  ],
  ['an endless answer', { endless: true }, /more than/],
  ['a cut connection', { cut: 'reset' }, /reset/],
  ['no HTTP', { raw: 'hello\r\n\r\n' }, /bad_response/],
];

test('a failing token endpoint fails the attempt with its reason, and nothing is sent or revealed', async (t) => {
  const retryPolicy = { delaysSeconds: [], finalStatuses: [], retryAfterMaxMs: 0 };
  const { auth, worker, endpoint } = await start(t, { retryPolicy });
  for (const [index, [what, behaviour, detail]] of wrong.entries()) {
    const id = `ep_${index}`;
    endpoint(id, { tokenUrl: auth.url(`/${id}`) });
    auth.on(`/${id}`, behaviour);
    const { delivery } = await worker.publishDelivery('acme', id);
    const [record] = await worker.recordsUntil(delivery.id, 'failed');
    assert.equal(record?.attempt?.failure, 'credentials_failed', what);
    assert.match(record.attempt.detail ?? '', detail, what);
    assert.deepEqual([record.attempt.status, record.attempt.responseBody], [undefined, undefined]);
    assert.ok(!JSON.stringify(record).includes(SECRET), what);
  }
  assert.equal(worker.receiver.requests.length, 0);
  const failed = await worker.metric('posthorn_delivery_token_requests_total', {
    outcome: 'failure',
  });
  assert.equal(failed, wrong.length);
});

test('an attempt fails when its token endpoint is unreachable or forbidden', async (t) => {
  const retryPolicy = { delaysSeconds: [], finalStatuses: [], retryAfterMaxMs: 0 };
  const { worker, endpoint } = await start(t, { retryPolicy });
  const cases: [string, RegExp][] = [
    [
      `http://127.0.0.1:${await closedPort()}/`,
      /connect: the connection was refused \(ECONNREFUSED\)/,
    ],
    ['https://169.254.169.254/latest', /forbidden_address/],
    // The egress rules may have changed since the URL was stored, so they are checked again.
    ['http://example.com/token', /must be https/],
  ];
  for (const [index, [tokenUrl, detail]] of cases.entries()) {
    endpoint(`ep_${index}`, { tokenUrl });
    const { delivery } = await worker.publishDelivery('acme', `ep_${index}`);
    const [record] = await worker.recordsUntil(delivery.id, 'failed');
    assert.equal(record?.attempt?.failure, 'credentials_failed');
    assert.match(record.attempt.detail ?? '', detail);
  }
});

test('an attempt is retried later when the token endpoint asks for a delay', async (t) => {
  const { auth, worker, endpoint } = await start(t);
  auth.otherwise({ status: 429, headers: { 'retry-after': '50' } });
  endpoint('ep_1');
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  const [record] = await worker.recordsUntil(delivery.id, 'pending');
  assert.equal(record?.attempt?.failure, 'credentials_failed');
  const { startedMs, durationMs } = record.attempt;
  assert.ok((record.nextAttemptMs ?? 0) >= startedMs + durationMs + 49_000);
});

test('a hanging token endpoint ends the attempt by its time limit, delays no other endpoint, and opens the circuit', async (t) => {
  const retryPolicy = { delaysSeconds: [60], finalStatuses: [], retryAfterMaxMs: 0 };
  const { auth, worker, endpoint } = await start(t, { retryPolicy });
  auth.on('/hang', { hang: 'request' });
  endpoint('hangs', { tokenUrl: auth.url('/hang') });
  // All attempts start before the first one ends.
  worker.endpoint('acme', 'hangs', { timeoutMs: 3000 });
  endpoint('fine');
  const stuck = await Promise.all(
    Array.from({ length: 20 }, () => worker.publishDelivery('acme', 'hangs')),
  );
  await deliver(worker, 'fine');
  for (const { delivery } of stuck) {
    const records = await waitUntil(async () => {
      const found = await worker.recordsUntil(delivery.id, 'pending');
      return found.at(-1)?.attempt === undefined ? undefined : found;
    });
    assert.equal(records.at(-1)?.attempt?.failure, 'credentials_failed');
    assert.match(records.at(-1)?.attempt?.detail ?? '', /in time/);
  }
  // One request for all of them.
  assert.equal(auth.at('/hang').length, 1);
  const open = () => worker.metric('posthorn_delivery_circuits_open');
  await waitUntil(async () => (await open()) === 1, { what: 'the circuit is open' });
  assert.equal(worker.receiver.at('/acme/hangs').length, 0);
});
