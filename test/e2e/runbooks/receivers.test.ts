/**
 * Producers and receivers at fault: the metrics of the alerts show it, and the step of the page
 * repairs it.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findFreePort } from '#src/embedded/free-port.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { LocalSystem, secondly } from './local-system.ts';
import { replayDeadLetters } from '../replay-all.ts';

const ATTEMPTS = 'posthorn_delivery_attempts_total';
const DEAD = 'posthorn_projector_dead_letters_total';

let system: LocalSystem;
before(async () => {
  system = await LocalSystem.run();
});
after(() => system?.stop());

test('events-refused: the metric starts at 0, and the log names the tenant and the reason', async () => {
  assert.equal(await system.metric('posthorn_ingress_events_total', 'result="refused"'), 0);
  const { status, body } = await system.publish('demo', 'not\na type', 'r3');
  assert.equal(status, 400);
  await system.above(0, 'posthorn_ingress_events_total', 'result="refused"');
  await system.logged(/"ingress\.event_refused".*\n/);
  const line = system.log.split('\n').find((one) => one.includes('"ingress.event_refused"'));
  const named = JSON.parse(line ?? '{}') as Record<string, unknown>;
  assert.equal(named['request_id'], body['request_id']);
  assert.deepEqual(
    [named['tenant_id'], named['code'], named['pointer']],
    ['demo', 'POSTHORN_EVENT_INVALID', '/type'],
  );
});

test('stream-grows: deliveries of a paused endpoint are removed when it is deleted', async () => {
  const path = await system.endpoint('paused', system.receiver.url('/paused'));
  assert.equal((await system.api('PATCH', path, { status: 'paused' })).status, 200);
  await system.publish('paused', 'runbook.d', 'r4');
  await system.above(0, 'posthorn_deliveries_waiting');
  await system.above(0, 'posthorn_stream_bytes', 'stream="DLV-0"');
  await system.list('/v1/tenants/paused/deliveries?status=held', 1);
  assert.equal((await system.api('DELETE', path)).status, 204);
  await system.list('/v1/tenants/paused/deliveries?status=cancelled', 1);
  await system.until((value) => value === 0, 'posthorn_deliveries_waiting');
});

test('receivers-failing, dead-letters-grow: dead letters of 5xx answers are replayed after the recovery', async () => {
  assert.equal(await system.metric(DEAD, 'reason="exhausted"'), 0);
  system.receiver.on('/ill', { status: 500 });
  await system.endpoint('ill', system.receiver.url('/ill'));
  for (let i = 0; i < 25; i++) await system.publish('ill', 'runbook.c', `c${i}`);
  await system.above(0, ATTEMPTS, 'status_class="5xx",error_type="http_status"');
  await system.above(0, 'posthorn_delivery_circuits_open');
  await system.above(0, 'posthorn_delivery_parked_total', 'reason="circuit"');
  await system.above(0, DEAD, 'reason="exhausted"');
  const [group] = await system.list('/v1/tenants/ill/dead-letters/groups', 1);
  assert.equal(group?.['cause'], 'http_500');
  system.receiver.on('/ill', { status: 200 });
  const api = (method: string, path: string, body?: object) => system.api(method, path, body);
  const filter = { endpoint_id: group?.['endpoint_id'] };
  assert.ok((await replayDeadLetters(api, 'ill', filter)) > 0);
  await system.list('/v1/tenants/ill/dead-letters/groups', 0);
  await system.until((value) => value === 0, 'posthorn_delivery_circuits_open');
});

test('receivers-failing: a manual retry succeeds once an unreachable receiver listens', async () => {
  assert.equal(await system.metric(ATTEMPTS, 'error_type="connect"'), 0);
  const port = await findFreePort();
  await system.endpoint('alone', `http://127.0.0.1:${port}/hook`, secondly(40));
  await system.publish('alone', 'runbook.e', 'r5');
  await system.above(0, ATTEMPTS, 'error_type="connect"');
  const [delivery] = await system.list('/v1/tenants/alone/deliveries', 1);
  const path = `/v1/tenants/alone/deliveries/${String(delivery?.['id'])}`;
  const attempts = (await system.api('GET', `${path}/attempts`)).body['data'] as object[];
  assert.equal((attempts[0] as Record<string, unknown>)['failure'], 'connect');
  const receiver = await WebhookReceiver.start(port);
  try {
    await system.api('POST', `${path}/retry`);
    await system.list('/v1/tenants/alone/deliveries?status=delivered', 1);
  } finally {
    await receiver.close();
  }
});
