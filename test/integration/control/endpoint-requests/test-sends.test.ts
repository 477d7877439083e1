import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControlPlane } from '../control-plane.ts';
import { answerAs, ATTEMPT, createEndpoint } from './answer-as.ts';

test('a test sends the given bytes of the data, and answers with the attempt', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane);
  const requests = await answerAs(plane, { attempt: { ...ATTEMPT, status: 204 } });
  const { status, body } = await plane.call('POST', `${path}/test`, {
    event_type: 'order.created',
    data: { total: 12.5 },
  });
  assert.equal(status, 200);
  assert.equal(body.status, 'delivered');
  assert.equal(body.attempt.response_status, 204);
  assert.equal(body.event_type, 'order.created');
  const [request] = requests;
  assert.equal(request?.tenant, 'acme');
  assert.equal(request.event.head.id, body.event_id);
  assert.equal(request.event.data.toString(), '{"total":12.5}');
  const exact = await plane.app.inject({
    method: 'POST',
    url: `${path}/test`,
    headers: {
      authorization: 'Bearer phk_p_bootstrap-0123456789',
      'content-type': 'application/json',
    },
    payload: '{"data": {"total": 12345678901234567890.10} }',
  });
  assert.equal(exact.statusCode, 200, exact.body);
  assert.equal(requests[1]?.event.data.toString(), '{"total": 12345678901234567890.10}');
});

test('a test without a body sends the default event', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane);
  const requests = await answerAs(plane, {
    attempt: {
      ...ATTEMPT,
      status: 500,
      failure: 'http_status',
      detail: 'the receiver answered 500',
    },
  });
  const { status, body } = await plane.call('POST', `${path}/test`);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.status, 'failed');
  assert.equal(body.attempt.failure, 'http_status');
  assert.equal(requests[0]?.event.head.type, 'posthorn.test');
});

test('a test for the next life of a tenant names that life', async (t) => {
  const plane = await startControlPlane(t);
  const before = await createEndpoint(plane);
  await plane.call('DELETE', '/v1/tenants/acme');
  const path = await createEndpoint(plane);
  const requests = await answerAs(plane, { attempt: { ...ATTEMPT, status: 200 } });
  assert.equal((await plane.call('POST', `${before}/test`)).status, 404);
  assert.equal((await plane.call('POST', `${path}/test`)).status, 200);
  assert.equal(requests.length, 1);
  assert.equal(requests[0]?.tenant, 'acme=1');
});

test('rejects a test of an endpoint of another tenant, and one with a stale revision', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane);
  await createEndpoint(plane, 'globex');
  const requests = await answerAs(plane, { attempt: { ...ATTEMPT, status: 200 } });
  const foreign = path.replace('acme', 'globex');
  assert.equal((await plane.call('POST', `${foreign}/test`)).status, 404);
  const stale = { headers: { 'if-match': '"7"' } };
  assert.equal((await plane.call('POST', `${path}/test`, {}, stale)).status, 412);
  const unknown = await plane.call('POST', `${path}/test`, { payload: 1 });
  assert.equal(unknown.status, 400);
  assert.deepEqual(unknown.body.errors, [{ pointer: '/payload', detail: 'unknown field' }]);
  assert.equal(requests.length, 0);
});

test('rejects a test with 503 when no worker runs, and when a worker has no room', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane);
  const none = await plane.call('POST', `${path}/test`);
  assert.equal(none.status, 503);
  assert.equal(none.body.code, 'POSTHORN_WORKERS_UNAVAILABLE');
  assert.match(none.body.detail, /nothing was sent/);
  await answerAs(plane, { fault: 'busy', detail: 'too many' });
  const busy = await plane.call('POST', `${path}/test`);
  assert.equal(busy.body.code, 'POSTHORN_OVERLOADED');
});

test('rejects a test of an endpoint that is polled', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  const made = await plane.call('POST', '/v1/tenants/acme/endpoints', { kind: 'poll' });
  assert.equal(made.status, 201, made.text);
  const path = `/v1/tenants/acme/endpoints/${String(made.body.id)}`;
  const refused = await plane.call('POST', `${path}/test`);
  assert.equal(refused.body.code, 'POSTHORN_ENDPOINT_STATUS');
  assert.deepEqual((await plane.call('GET', `${path}/secrets`)).body, { data: [] });
});
