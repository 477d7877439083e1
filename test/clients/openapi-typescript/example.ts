/** The program of a user of openapi-typescript and openapi-fetch. It must compile and run. */
import assert from 'node:assert/strict';
import { CloudEvent } from 'cloudevents';
import createClient from 'openapi-fetch';
import type { components, paths, webhooks } from './generated/schema.ts';

const { API: baseUrl = '', KEY: key = '' } = process.env;
const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${key}` } });
const path = { tenant: 'openapi-typescript' };

const tenant = await client.PUT('/v1/tenants/{tenant}', {
  params: { path },
  body: { name: 'Acme Ltd' },
});
assert.equal(tenant.response.status, 201);
assert.equal(tenant.data?.id, path.tenant);
const etag = tenant.response.headers.get('etag') ?? '';

const changed = await client.PUT('/v1/tenants/{tenant}', {
  params: { path, header: { 'if-match': etag } },
  body: { name: 'Acme Group' },
});
assert.equal(changed.data?.revision, 2);
const stale = await client.PUT('/v1/tenants/{tenant}', {
  params: { path, header: { 'if-match': etag } },
  body: {},
});
// Every operation answers an error with a problem.
const problem: components['schemas']['Problem'] | undefined = stale.error;
assert.equal(problem?.code, 'POSTHORN_PRECONDITION_FAILED');

const endpoint = await client.POST('/v1/tenants/{tenant}/endpoints', {
  params: { path },
  body: {
    url: 'https://receiver.invalid/webhooks',
    event_types: ['order.*'],
    filter: { 'data.amount': { $gt: 100 } },
  },
});
assert.ok(endpoint.data?.kind === 'webhook');
assert.match(endpoint.data.secret, /^whsec_/);
const endpointPath = { ...path, endpoint: endpoint.data.id };
// This body may be omitted.
const rotated = await client.POST('/v1/tenants/{tenant}/endpoints/{endpoint}/rotate-secret', {
  params: { path: endpointPath },
});
assert.match(rotated.data?.secret ?? '', /^whsec_/);

const plain = await client.POST('/v1/tenants/{tenant}/events', {
  params: { path, header: { 'idempotency-key': 'order-42' } },
  body: { type: 'order.created', data: { amount: 120 } },
});
assert.ok(plain.data !== undefined && 'status' in plain.data);
assert.equal(plain.data.status, 'accepted');

const event = new CloudEvent({
  type: 'order.paid',
  source: '/shop',
  data: { amount: 7 },
  region: 'eu',
});
const structured = await client.POST('/v1/tenants/{tenant}/events', {
  params: { path },
  headers: { 'content-type': 'application/cloudevents+json' },
  body: event,
});
assert.equal(structured.response.status, 202, JSON.stringify(structured.error));
const batch = await client.POST('/v1/tenants/{tenant}/events', {
  params: { path },
  headers: { 'content-type': 'application/cloudevents-batch+json' },
  body: [event, new CloudEvent({ type: 'order.paid', source: '/shop', data: null })],
});
assert.ok(batch.data !== undefined && 'results' in batch.data);
assert.equal(batch.data.accepted, 2);
const binary = await client.POST('/v1/tenants/{tenant}/events', {
  params: {
    path,
    header: {
      'ce-specversion': '1.0',
      'ce-id': 'binary-1',
      'ce-source': '/shop',
      'ce-type': 'order.photographed',
    },
  },
  headers: { 'content-type': 'image/png' },
  body: 'not really an image',
  bodySerializer: (body: unknown) => body as string,
});
assert.equal(binary.response.status, 202, JSON.stringify(binary.error));
const several = await client.POST('/v1/tenants/{tenant}/events/batch', {
  params: { path },
  body: { events: [{ type: 'order.created' }, { type: 'order.created', id: 'a.dot' }] },
});
assert.equal(several.response.status, 207);
assert.equal(several.data?.results[1]?.error?.code, 'POSTHORN_EVENT_INVALID');

// Query fields with a default may be omitted.
const types = await client.GET('/v1/event-types');
assert.ok(Array.isArray(types.data?.data));
const page = await client.GET('/v1/tenants/{tenant}/endpoints', {
  params: { path, query: { limit: 1, status: ['active'] } },
});
const [first] = page.data?.data ?? [];
assert.ok(first?.kind === 'webhook');
assert.equal(first.format, 'standard');

/** The body of a webhook. */
type Received =
  webhooks['posthorn.endpoint.disabled']['post']['requestBody']['content']['application/json'];
const received: Received['data']['reason'] = 'gone';
assert.equal(received, 'gone');

const removed = await client.DELETE('/v1/tenants/{tenant}', { params: { path } });
assert.equal(removed.response.status, 204);
console.log('openapi-typescript: done');
