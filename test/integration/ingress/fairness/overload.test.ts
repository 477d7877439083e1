import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { IngressPlane } from '../ingress-plane.ts';

test('rejects an event with 503 and Retry-After when NATS is down, and stores nothing later', async (t) => {
  const plane = await IngressPlane.start(t, { settings: { publishTimeoutMs: 300 } });
  await plane.core.killServer();
  for (const body of [{ type: 'a.b' }, { type: 'a.b', id: 'mine' }]) {
    const answer = await plane.post(body);
    assert.equal(answer.status, 503);
    assert.equal(answer.body.code, 'POSTHORN_PUBLISH_NOT_ACKED');
    assert.ok(Number(answer.headers['retry-after']) >= 1);
  }
  const batch = await plane.batch({ events: [{ type: 'a.b' }, { type: 'a.b' }] });
  assert.equal(batch.status, 503);
  assert.equal(batch.headers['retry-after'], '1');
  assert.deepEqual([batch.body.accepted, batch.body.refused], [0, 2]);
  await plane.core.restartServer();
  const answer = await waitUntil(async () => {
    const tried = await plane.post({ type: 'a.b', id: 'mine' });
    return tried.status === 202 ? tried : undefined;
  });
  // The id that was refused before was not stored then: this is the first time.
  assert.equal(answer.headers['idempotency-replayed'], undefined);
  const ids = (await plane.stored()).map(({ head }) => head.id);
  assert.deepEqual(ids, ['mine']);
  assert.ok((await plane.metric('posthorn_ingress_events_total', { result: 'not_stored' })) >= 4);
});

test('rejects an event with 503 when the window is full, and accepts it when there is room', async (t) => {
  const plane = await IngressPlane.start(t, { window: 1 });
  // The server receives messages and answers nothing until it is resumed.
  await plane.core.server.kill('SIGSTOP');
  try {
    const first = plane.post({ type: 'a.b', data: 1 });
    await waitUntil(() => plane.core.publisher.room === 0);
    const refused = await plane.post({ type: 'a.b', data: 2 });
    assert.equal(refused.status, 503);
    assert.equal(refused.body.code, 'POSTHORN_OVERLOADED');
    assert.equal(refused.headers['retry-after'], '1');
    await plane.core.server.kill('SIGCONT');
    assert.equal((await first).status, 202);
    assert.equal((await plane.post({ type: 'a.b', data: 3 })).status, 202);
  } finally {
    await plane.core.server.kill('SIGCONT');
  }
  const data = (await plane.stored()).map((event) => event.data.toString());
  assert.deepEqual(data, ['1', '3']);
});

test('rejects each item of a batch with 503 in its time when the window stays full', async (t) => {
  const plane = await IngressPlane.start(t, {
    window: 1,
    settings: { publishTimeoutMs: 300 },
  });
  await plane.core.server.kill('SIGSTOP');
  try {
    // A publication of another part, which may never be answered.
    plane.core.publisher.publish(
      {
        subject: 'att.0',
        payload: Buffer.from('[]'),
        messageId: 'patient',
        timeoutMs: Number.POSITIVE_INFINITY,
      },
      () => undefined,
    );
    const answer = await plane.batch({ events: [{ type: 'a.b' }, { type: 'a.b', id: 'mine' }] });
    assert.equal(answer.status, 503, JSON.stringify(answer.body));
    assert.equal(answer.headers['retry-after'], '1');
    const codes = answer.body.results.map(
      (result: { error: { code: string } }) => result.error.code,
    );
    assert.deepEqual(codes, ['POSTHORN_OVERLOADED', 'POSTHORN_OVERLOADED']);
  } finally {
    await plane.core.server.kill('SIGCONT');
  }
  // The rejected event is not published later, although there is room now.
  await plane.core.publisher.publishAsync({
    subject: 'att.0',
    payload: Buffer.from('[]'),
    messageId: 'after',
    timeoutMs: 10_000,
  });
  assert.equal((await plane.stored()).length, 0);
});
