/** `GET /v1/tenants/{tenant}/rejected-events`: the messages in the stream REJECTED. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstream } from '@nats-io/jetstream';
import { PosthornError } from '#domain/errors.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { problemOf } from '#wire/problem.ts';
import { encodeRejectedFrame } from '#wire/frames/rejected-event.ts';
import { subjects } from '#wire/subjects.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

async function reject(
  plane: ControlPlane,
  tenant: string,
  id: string,
  body: Buffer,
  type = 'order.created',
): Promise<void> {
  const error = new PosthornError('POSTHORN_BODY_INVALID', { detail: 'the body is not UTF-8' });
  const problem = problemOf(error, `in.${tenant}.${type}`, id);
  const head = { id, type, rejectedMs: Date.UTC(2026, 0, 1), bytes: body.length, problem };
  const frame = encodeRejectedFrame(head, body);
  await jetstream(plane.nc).publish(subjects.rejected(tenant), frame);
}

test('rejected events are listed by tenant, oldest first, in pages', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  await plane.call('PUT', '/v1/tenants/other', {});
  await plane.call('PUT', '/v1/event-types/patient.seen', { sensitive: true });
  await waitUntil(() => plane.config.eventType('patient.seen') !== undefined);
  const path = '/v1/tenants/acme/rejected-events';
  assert.deepEqual((await plane.call('GET', path)).body, { data: [], next_cursor: null });

  await reject(plane, 'acme', 'req_1', Buffer.from('{"bad":'));
  await reject(plane, 'other', 'req_2', Buffer.from('not shown'));
  await reject(plane, 'acme', 'req_3', Buffer.of(255, 254));
  await reject(plane, 'acme', 'req_4', Buffer.from('secret'), 'patient.seen');

  const first = await plane.call('GET', `${path}?limit=2`);
  assert.equal(first.status, 200, first.text);
  const [one, two] = first.body.data;
  assert.equal(first.body.data.length, 2);
  assert.equal(one.id, 'req_1');
  assert.equal(one.body, '{"bad":');
  assert.equal(one.body_encoding, null);
  assert.equal(one.rejected_at, '2026-01-01T00:00:00.000Z');
  assert.equal(one.problem.code, 'POSTHORN_BODY_INVALID');
  assert.equal(two.body, Buffer.of(255, 254).toString('base64'));
  assert.equal(two.body_encoding, 'base64');
  const rest = await plane.call('GET', `${path}?limit=2&cursor=${first.body.next_cursor}`);
  assert.equal(rest.body.data.length, 1);
  assert.equal(rest.body.data[0].body, null);
  assert.equal(rest.body.data[0].data_hidden, true);
  assert.equal(rest.body.next_cursor, null);
});

test('rejects a list request for an unknown tenant, with a bad cursor, with a tenant key or without the stream', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  const unknown = await plane.call('GET', '/v1/tenants/nobody/rejected-events');
  assert.equal(unknown.body.code, 'POSTHORN_TENANT_UNKNOWN');
  const path = '/v1/tenants/acme/rejected-events';
  const forged = Buffer.from('["rejected_events",-5]').toString('base64url');
  for (const cursor of ['x', forged]) {
    const answer = await plane.call('GET', `${path}?cursor=${cursor}`);
    assert.equal(answer.body.code, 'POSTHORN_CURSOR_INVALID');
  }
  const made = await plane.call('POST', '/v1/keys', { scope: 'tenant', tenant_id: 'acme' });
  const options = { key: made.body.key as string };
  await waitUntil(async () => (await plane.call('GET', path, undefined, options)).status !== 401);
  assert.equal((await plane.call('GET', path, undefined, options)).status, 403);
  await plane.nc.request('$JS.API.STREAM.DELETE.REJECTED', '', { timeout: 10_000 });
  const unavailable = await plane.call('GET', path);
  assert.equal(unavailable.body.code, 'POSTHORN_NATS_UNAVAILABLE');
});
