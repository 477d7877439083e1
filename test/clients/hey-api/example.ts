/** The program of a user of @hey-api/openapi-ts. It must compile and run against a server. */
import assert from 'node:assert/strict';
import { CloudEvent } from 'cloudevents';
import { client } from './generated/client.gen.ts';
import {
  createEndpoint,
  deleteTenant,
  getEndpoint,
  listEventTypes,
  publishEvent,
  publishEvents,
  putTenant,
  rotateEndpointSecret,
} from './generated/sdk.gen.ts';
import type { Problem, StandardWebhook } from './generated/types.gen.ts';

client.setConfig({ baseUrl: process.env['API'] as string, auth: process.env['KEY'] as string });
const path = { tenant: 'hey-api' };

const tenant = await putTenant({ path, body: { name: 'Acme Ltd' } });
assert.equal(tenant.response?.status, 201, JSON.stringify(tenant.error));
assert.equal(tenant.data?.revision, 1);
const stale = await putTenant({ path, headers: { 'if-match': '"7"' }, body: {} });
const problem: Problem | undefined = stale.error;
assert.equal(problem?.code, 'POSTHORN_PRECONDITION_FAILED');

const endpoint = await createEndpoint({
  path,
  body: { url: 'https://receiver.invalid/webhooks', event_types: ['order.*'], format: 'standard' },
  throwOnError: true,
});
const endpointPath = { ...path, endpoint: endpoint.data.id };
const rotated = await rotateEndpointSecret({ path: endpointPath, throwOnError: true });
assert.match(rotated.data.secret, /^whsec_/);
const read = await getEndpoint({ path: endpointPath, throwOnError: true });
assert.equal(read.data.health.status, 'unknown');

const plain = await publishEvent({
  path,
  headers: { 'idempotency-key': 'order-42' },
  body: { type: 'order.created', data: { amount: 120 } },
});
assert.ok(plain.data !== undefined && 'status' in plain.data, JSON.stringify(plain.error));
// A CloudEvent of the CNCF SDK is a valid body.
const event = new CloudEvent({
  type: 'order.paid',
  source: '/shop',
  data: { amount: 7 },
  region: 'eu',
});
const cloud = await publishEvent({ path, body: event });
assert.ok(cloud.data !== undefined && 'status' in cloud.data, JSON.stringify(cloud.error));
const several = await publishEvents({ path, body: { events: [{ type: 'order.created' }, event] } });
assert.equal(several.data?.results.length, 2);

const types = await listEventTypes();
assert.ok(Array.isArray(types.data?.data));
const received: StandardWebhook = { type: 'order.created', timestamp: '2026-01-31T12:00:00Z' };
assert.equal(received.data, undefined);

const removed = await deleteTenant({ path });
assert.equal(removed.response?.status, 204);
console.log('hey-api: done');
