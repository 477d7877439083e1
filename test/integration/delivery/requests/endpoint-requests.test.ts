import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { EndpointRequestAnswer, EndpointRequestHead } from '#wire/endpoint-request.ts';
import { encodeEndpointRequest } from '#wire/endpoint-request.ts';
import { encodeEventFrame } from '#wire/frames/event-frame.ts';
import { subjects } from '#wire/subjects.ts';
import { webhookFault } from '#wire/webhook/verify-webhook.ts';
import { Worker } from '../worker.ts';

async function ask(
  worker: Worker,
  head: Partial<EndpointRequestHead> = {},
): Promise<EndpointRequestAnswer> {
  const frame = encodeEventFrame(
    {
      id: 'evt_1',
      type: 'order.created',
      source: '/tenants/acme',
      time: '2026-01-31T12:00:00.000Z',
      kind: 'json',
      acceptedMs: Date.now(),
      correlationId: 'req_1',
    },
    '{"total": 1.0}',
  );
  const request = { tenant: 'acme', endpoint: 'ep_1', what: 'test', ...head } as const;
  const payload = encodeEndpointRequest(request, frame);
  const answer = await worker.core.nc.request(subjects.endpointRequests, payload, {
    timeout: 30_000,
  });
  return answer.json<EndpointRequestAnswer>();
}

function attemptOf(answer: EndpointRequestAnswer) {
  assert.ok('attempt' in answer, JSON.stringify(answer));
  return answer.attempt;
}

test('a test webhook is signed, has the credentials of the endpoint, and leaves no trace', async (t) => {
  const worker = await Worker.start(t);
  const credentials = { type: 'bearer', token: 'abc.def-0123' } as const;
  worker.endpoint('acme', 'ep_1', {
    ...worker.sealed('ep_1', { credentials }),
    state: 'paused',
  });
  worker.receiver.otherwise(({ headers }) => ({
    status: 503,
    body: `got ${String(headers['authorization'])}`,
  }));
  const attempt = attemptOf(await ask(worker));
  assert.equal(attempt.status, 503);
  assert.equal(attempt.failure, 'http_status');
  assert.equal(attempt.responseBody, 'got Bearer ********');
  const [webhook] = worker.receiver.requests;
  assert.ok(webhook);
  assert.equal(webhook.headers['authorization'], 'Bearer abc.def-0123');
  assert.equal(webhook.headers['posthorn-test'], 'true');
  assert.ok(webhook.body.toString().endsWith('"data":{"total": 1.0}}'));
  const { headers, body } = webhook;
  assert.equal(webhookFault(worker.secret, headers, body, Date.now()), undefined);
  assert.deepEqual(await worker.core.storedRecords(), []);
  assert.deepEqual(await worker.storedMessages(), []);
  assert.equal(worker.receiver.requests.length, 1);
});

test('a handshake is an OPTIONS request with the origin', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise({ status: 200, headers: { 'webhook-allowed-origin': '*' } });
  const attempt = attemptOf(await ask(worker, { what: 'handshake', origin: 'posthorn.example' }));
  assert.equal(attempt.status, 200);
  assert.equal(attempt.responseHeaders?.['webhook-allowed-origin'], '*');
  const [request] = worker.receiver.requests;
  assert.equal(request?.method, 'OPTIONS');
  assert.equal(request.headers['webhook-request-origin'], 'posthorn.example');
  assert.equal(request.body.length, 0);
});

test('a request to a forbidden address is not sent', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { url: 'https://10.0.0.1/' });
  const attempt = attemptOf(await ask(worker));
  assert.equal(attempt.failure, 'forbidden_address');
});

test('rejects a request for an unknown endpoint or another life of the tenant', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  for (const head of [{ endpoint: 'ep_2' }, { tenant: 'acme=1' }, { tenant: 'globex' }]) {
    const answer = await ask(worker, head);
    assert.ok('fault' in answer);
    assert.equal(answer.fault, 'unknown');
  }
  assert.equal(worker.receiver.requests.length, 0);
});

test('reads the configuration before it sends', async (t) => {
  const worker = await Worker.start(t);
  worker.onRefresh = () => worker.endpoint('acme', 'ep_1');
  assert.equal(attemptOf(await ask(worker)).status, 200);
});

test('a tenant whose receivers hang has no more requests in flight than its share', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.endpoint('globex', 'ep_1');
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  worker.receiver.on('/acme/ep_1', { until, status: 200 });
  const most = limits.endpointRequestsPerTenantMax;
  const hanging = Array.from({ length: most }, () => ask(worker));
  await waitUntil(() => worker.receiver.at('/acme/ep_1').length === most);
  const more = await ask(worker);
  assert.ok('fault' in more);
  assert.equal(more.fault, 'busy');
  assert.equal(attemptOf(await ask(worker, { tenant: 'globex' })).status, 200);
  release();
  for (const answer of await Promise.all(hanging)) assert.equal(attemptOf(answer).status, 200);
  assert.equal(attemptOf(await ask(worker)).status, 200);
});

test('a request ends at the time limit of the endpoint', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { timeoutMs: 100 });
  worker.receiver.otherwise({ hang: 'request' });
  assert.equal(attemptOf(await ask(worker)).failure, 'timeout');
});
