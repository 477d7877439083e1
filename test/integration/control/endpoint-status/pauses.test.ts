import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, endpointInForce, startControlPlane } from '../control-plane.ts';
import { createEndpoint } from '../endpoint-requests/answer-as.ts';

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

function untilActive(plane: ControlPlane, path: string): Promise<unknown> {
  return waitUntil(async () => (await plane.call('GET', path)).body.status === 'active', {
    what: 'the endpoint is active',
    deadlineMs: 20_000,
  });
}

test('a pause has a reason and an end, and the endpoint resumes by itself', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane);
  const endsAt = inMs(1500);
  const paused = await plane.call('POST', `${path}/pause`, {
    reason: 'Maintenance',
    ends_at: endsAt,
  });
  assert.equal(paused.status, 200, JSON.stringify(paused.body));
  assert.equal(paused.body.status, 'paused');
  assert.equal(paused.body.pause.reason, 'Maintenance');
  assert.equal(paused.body.pause.ends_at, endsAt);
  assert.equal(paused.headers['etag'], `"${String(paused.body.revision)}"`);
  await untilActive(plane, path);
  const { body } = await plane.call('GET', path);
  assert.equal(body.pause, null);
  assert.equal(body.status_reason, null);
  assert.ok(body.updated_at >= endsAt);
  await endpointInForce(plane.kv, 'acme', body.id, (one) => one.state === 'active');
});

test('another process ends the pauses of one that has stopped', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  const path = await createEndpoint(plane);
  await plane.call('POST', `${path}/pause`, { ends_at: inMs(200) });
  const [one, other] = [plane.startAnother(), plane.startAnother()];
  await Promise.all([one.service.start(), other.service.start()]);
  await untilActive(plane, path);
  const { body } = await plane.call('GET', path);
  assert.equal(body.revision, 3, 'one of them made the change');
});

test('a pause can be changed, and ended by a request', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane);
  const first = await plane.call('POST', `${path}/pause`);
  assert.deepEqual([first.body.pause.reason, first.body.pause.ends_at], [null, null]);
  const endsAt = inMs(3_600_000);
  const { body } = await plane.call('POST', `${path}/pause`, { reason: 'Longer', ends_at: endsAt });
  assert.equal(body.pause.paused_at, first.body.pause.paused_at);
  assert.equal(body.pause.ends_at, endsAt);
  const resumed = await plane.call('POST', `${path}/resume`);
  assert.equal(resumed.body.status, 'active');
  assert.equal(resumed.body.pause, null);
  const again = await plane.call('POST', `${path}/resume`);
  assert.equal(again.body.revision, resumed.body.revision, 'nothing changed');
});

test('PATCH of the status pauses without an end, and keeps the pause that there is', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane);
  await plane.call('POST', `${path}/pause`, { reason: 'Maintenance', ends_at: inMs(3_600_000) });
  const kept = await plane.call('PATCH', path, { status: 'paused' });
  assert.equal(kept.body.pause.reason, 'Maintenance');
  const disabled = await plane.call('PATCH', path, { status: 'disabled' });
  assert.equal(disabled.body.pause, null);
  assert.equal((await plane.call('POST', `${path}/pause`)).status, 409);
  assert.equal((await plane.call('POST', `${path}/resume`)).status, 409);
  await plane.call('PATCH', path, { status: 'active' });
  const paused = await plane.call('PATCH', path, { status: 'paused' });
  assert.equal(paused.body.pause.ends_at, null);
});

test('a repeated request to pause with an Idempotency-Key gets the first answer', async (t) => {
  const plane = await startControlPlane(t);
  const path = await createEndpoint(plane);
  const headers = { 'idempotency-key': 'k1' };
  const first = await plane.call('POST', `${path}/pause`, { reason: 'a' }, { headers });
  const again = await plane.call('POST', `${path}/pause`, { reason: 'a' }, { headers });
  assert.equal(again.headers['idempotency-replayed'], 'true');
  assert.deepEqual(again.body, first.body);
});

for (const [name, body, pointer] of [
  ['a past end', { ends_at: '2020-01-01T00:00:00Z' }, '/ends_at'],
  ['an end in ten years', { ends_at: inMs(10 * 366 * 86_400_000) }, '/ends_at'],
  ['no time', { ends_at: 'tomorrow' }, '/ends_at'],
  ['an empty reason', { reason: '' }, '/reason'],
  ['an unknown field', { until: 1 }, '/until'],
] as const) {
  test(`rejects a pause with ${name} with 400`, async (t) => {
    const plane = await startControlPlane(t);
    const path = await createEndpoint(plane);
    const refused = await plane.call('POST', `${path}/pause`, body);
    assert.equal(refused.status, 400);
    assert.equal(refused.body.errors[0].pointer, pointer);
    assert.equal((await plane.call('GET', path)).body.status, 'active');
  });
}
