import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointInForce, startControlPlane } from '../control-plane.ts';
import { answerAs, ATTEMPT, createEndpoint } from './answer-as.ts';

const PUBLIC = { settings: { publicUrl: 'https://hooks.example.com' } };
const OK = { attempt: { ...ATTEMPT, status: 200 } };
const REFUSED = {
  attempt: { ...ATTEMPT, status: 404, failure: 'http_status', detail: 'the receiver answered 404' },
} as const;
const url = (path: string) => ({ url: `https://example.com/${path}` });

test('an endpoint gets no webhook before its receiver has answered the ping', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane, 'acme', { verification: 'ping' });
  const made = await plane.call('GET', path);
  assert.equal(made.body.status, 'paused');
  assert.equal(made.body.status_reason, 'unverified');
  assert.deepEqual(made.body.verification, { method: 'ping', verified_at: null });
  for (const [verb, suffix] of [
    ['PATCH', ''],
    ['POST', '/resume'],
    ['POST', '/pause'],
  ] as const) {
    const body = verb === 'PATCH' ? { status: 'active' } : undefined;
    const refused = await plane.call(verb, path + suffix, body);
    assert.equal(refused.status, 409, suffix);
    assert.equal(refused.body.code, 'POSTHORN_ENDPOINT_STATUS');
  }
  const requests = await answerAs(plane, OK);
  const verified = await plane.call('POST', `${path}/verify`);
  assert.equal(verified.body.status, 'verified');
  assert.equal(verified.body.attempt.response_status, 200);
  assert.equal(requests[0]?.what, 'test');
  assert.equal(requests[0].event.head.type, 'posthorn.ping');
  const after = await plane.call('GET', path);
  assert.equal(after.body.status, 'active');
  assert.equal(after.body.status_reason, null);
  assert.notEqual(after.body.verification.verified_at, null);
});

test('an endpoint stays paused when the receiver does not answer the ping with 2xx', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane, 'acme', { verification: 'ping' });
  await answerAs(plane, REFUSED);
  const { status, body } = await plane.call('POST', `${path}/verify`);
  assert.equal(status, 200);
  assert.equal(body.status, 'failed');
  assert.equal(body.detail, 'the receiver answered 404');
  assert.equal((await plane.call('GET', path)).body.status_reason, 'unverified');
});

test('the handshake sends the origin, and its answer limits the rate', async (t) => {
  const plane = await startControlPlane(t, PUBLIC);
  const path = await createEndpoint(plane, 'acme', { verification: 'cloudevents' });
  const responseHeaders = { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '120' };
  const requests = await answerAs(plane, {
    attempt: { ...ATTEMPT, status: 405, failure: 'http_status', responseHeaders },
  });
  assert.equal((await plane.call('POST', `${path}/verify`)).body.status, 'verified');
  assert.equal(requests[0]?.what, 'handshake');
  assert.equal(requests[0].origin, 'hooks.example.com');
  const { body } = await plane.call('GET', path);
  assert.equal(body.status, 'active');
  assert.deepEqual(body.rate_limit, { per_second: 2, burst: 1 });
  const snapshot = await endpointInForce(
    plane.kv,
    'acme',
    body.id,
    (one) => one.state === 'active',
  );
  assert.equal(snapshot.requestOrigin, 'hooks.example.com');
});

test('a new URL has to be verified again, and so has one that changes during the verification', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane, 'acme', { verification: 'ping' });
  let meanwhile = (): Promise<unknown> => Promise.resolve();
  await answerAs(plane, async () => {
    await meanwhile();
    return OK;
  });
  await plane.call('POST', `${path}/verify`);
  const moved = await plane.call('PATCH', path, url('b'));
  assert.equal(moved.body.status_reason, 'unverified');
  assert.equal(moved.body.verification.verified_at, null);
  const active = await plane.call('PATCH', path, { ...url('c'), status: 'active' });
  assert.equal(active.status, 409);
  meanwhile = () => plane.call('PATCH', path, url('d'));
  const changed = await plane.call('POST', `${path}/verify`);
  assert.equal(changed.status, 409);
  assert.match(changed.body.detail, /was changed while it was verified/);
  assert.equal((await plane.call('GET', path)).body.status_reason, 'unverified');
});

test('rejects a handshake without a public URL, and a verification that was not asked for', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane);
  const made = await plane.call('POST', '/v1/tenants/acme/endpoints', {
    ...url('b'),
    verification: 'cloudevents',
  });
  assert.equal(made.status, 400);
  assert.equal(made.body.errors[0].pointer, '/verification');
  const refused = await plane.call('POST', `${path}/verify`);
  assert.equal(refused.status, 409);
  const foreign = path.replace('acme', 'globex');
  await plane.call('PUT', '/v1/tenants/globex', {});
  assert.equal((await plane.call('POST', `${foreign}/verify`)).status, 404);
});

test('an endpoint that was disabled during its verification stays disabled', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane, 'acme', { verification: 'ping' });
  await answerAs(plane, async () => {
    await plane.call('PATCH', path, { status: 'disabled' });
    return OK;
  });
  assert.equal((await plane.call('POST', `${path}/verify`)).body.status, 'verified');
  const { body } = await plane.call('GET', path);
  assert.equal(body.status, 'disabled');
  assert.notEqual(body.verification.verified_at, null);
});
