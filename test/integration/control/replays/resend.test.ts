import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Binary } from 'mongodb';
import { historyOf } from '#infra/mongo/documents.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import { loseAnswers } from '../idempotency/crashed-request.ts';
import { type SeededTenant, seedTenant } from './seeded-history.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

const resend = (tenant: SeededTenant, id: string, headers = {}) =>
  plane.call('POST', `${tenant.path}/deliveries/${id}/resend`, undefined, { headers });

test('a delivered delivery is sent again as a linked one, with the stored bytes', async () => {
  const tenant = await seedTenant(plane, 'resent');
  await tenant.addEvent('e1', { data: '{"n":1.0,"n2":12345678901234567890}', subject: 'order/1' });
  const id = await tenant.addDelivery('e1', 'delivered');
  const answer = await resend(tenant, id);
  assert.equal(answer.status, 202, answer.text);
  assert.equal(answer.body.id, id);
  const [message, ...more] = await tenant.messages();
  assert.equal(more.length, 0);
  assert.equal(message?.deliveryClass, 'r');
  assert.equal(message?.head.id, answer.body.delivery_id);
  assert.equal(message?.head.replayOf, id);
  assert.equal(message?.head.attemptNo, 1);
  const { head, data } = decodeEventFrame(message?.eventBytes ?? Buffer.alloc(0));
  assert.equal(data.toString(), '{"n":1.0,"n2":12345678901234567890}');
  assert.equal(head.id, 'e1');
  assert.equal(head.subject, 'order/1');
});

test('two requests create two deliveries, and two with one key a single one', async () => {
  const tenant = await seedTenant(plane, 'resent-twice');
  await tenant.addEvent('e1');
  const id = await tenant.addDelivery('e1', 'cancelled');
  const first = await resend(tenant, id);
  const second = await resend(tenant, id);
  assert.notEqual(first.body.delivery_id, second.body.delivery_id);
  const key = { 'idempotency-key': 'once' };
  const answers = [await resend(tenant, id, key), await resend(tenant, id, key)];
  assert.deepEqual(answers[0]?.body, answers[1]?.body);
  assert.equal((await tenant.messages()).length, 3);
});

test('a repeat after a lost answer creates no second delivery', async () => {
  const tenant = await seedTenant(plane, 'resent-crash');
  await tenant.addEvent('e1');
  const id = await tenant.addDelivery('e1', 'delivered');
  const key = { 'idempotency-key': 'lost' };
  const first = await resend(tenant, id, key);
  await loseAnswers(plane.db);
  const again = await resend(tenant, id, key);
  assert.equal(again.status, 202, again.text);
  assert.equal(again.body.delivery_id, first.body.delivery_id);
  assert.equal((await tenant.messages()).length, 1);
});

test('a failed delivery marks its dead letter as replayed, and may use its event', async () => {
  const tenant = await seedTenant(plane, 'resent-dead');
  const id = await tenant.addDelivery('e1', 'failed');
  const at = new Date();
  const head = { id: 'e1', type: 'order.created', source: '/s', time: '2026-01-31T12:00:00Z' };
  const kept = { ...head, kind: 'json', acceptedMs: 1, correlationId: 'req_1' } as const;
  const facts = { tenant: tenant.name, event: 'e1', endpoint: tenant.endpoint, at };
  await historyOf(plane.db).deadLetters.insertOne({
    _id: id,
    ...facts,
    type: 'order.created',
    accepted_at: at,
    reason: 'exhausted',
    cause: 'timeout',
    attempt_count: 12,
    last_attempt: null,
    seq: 1,
    frame: new Binary(encodeEventFrame(kept, '{"kept":1}')),
    replayed_at: null,
    replay: null,
    discarded_at: null,
  });
  const answer = await resend(tenant, id);
  assert.equal(answer.status, 202, answer.text);
  const [message] = await tenant.messages();
  assert.ok(message?.eventBytes.toString().endsWith('{"kept":1}'));
  const { body } = await plane.call('GET', `${tenant.path}/dead-letters/${id}`);
  assert.equal(body.replay_delivery_id, answer.body.delivery_id);
  assert.notEqual(body.replayed_at, null);
});

test('rejects the resend of a delivery that is under way, unknown, expired or of a deleted endpoint', async () => {
  const tenant = await seedTenant(plane, 'resent-not');
  const other = await seedTenant(plane, 'resent-other');
  await tenant.addEvent('e1');
  await tenant.addEvent('e4', {
    data: '',
    payload: { key: 'resent-not/pay_1', size: 3_000_000, sha256: '00' },
  });
  for (const [status, event] of [
    ['pending', 'e1'],
    ['held', 'e2'],
  ] as const) {
    const answer = await resend(tenant, await tenant.addDelivery(event, status));
    assert.equal(answer.status, 409, answer.text);
    assert.equal(answer.body.code, 'POSTHORN_DELIVERY_UNREPLAYABLE');
    assert.match(answer.body.detail, new RegExp(`is ${status}: it has not ended`));
  }
  const expired = await tenant.addDelivery('e3', 'delivered');
  assert.equal((await resend(tenant, expired)).body.code, 'POSTHORN_EVENT_GONE');
  const lost = await tenant.addDelivery('e4', 'delivered');
  assert.equal((await resend(tenant, lost)).body.code, 'POSTHORN_PAYLOAD_GONE');
  const orphan = await tenant.addDelivery('e1', 'delivered', { _id: 'dlv_x', endpoint: 'ep_gone' });
  assert.match((await resend(tenant, orphan)).body.detail, /endpoint ep_gone was deleted/);
  for (const [of, id] of [
    [tenant, 'dlv_none'],
    [other, expired],
  ] as const) {
    const answer = await resend(of, id);
    assert.equal(answer.body.code, 'POSTHORN_RESOURCE_UNKNOWN', answer.text);
  }
  assert.equal((await tenant.messages()).length, 0);
});
