/**
 * NATS or MongoDB hangs: the metrics of the alerts show it, and recover once the server answers.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { projectFiles, projectRoot, projectText } from '../../docs/project-files.ts';
import { LocalSystem } from './local-system.ts';

const DEADLINE = { deadlineMs: 45_000, intervalMs: 100 };

/** The settings of a process are read from /proc. */
const linuxOnly = process.platform === 'linux' ? false : 'Linux only';

let system: LocalSystem;
before(async () => {
  system = await LocalSystem.run();
});
after(() => system?.stop());

test('ingress-not-storing, queues-unknown, probe-failing, nats-down: NATS hangs', async () => {
  const succeeded = 'posthorn_probe_last_success_timestamp_seconds';
  await system.above(0, 'posthorn_probe_rounds_total', 'result="succeeded"');
  await system.above(-1, 'posthorn_stream_messages');
  await system.whileHanging(system.pidOf('nats-server'), async () => {
    const { status, body } = await system.publish('demo', 'runbook.a', 'r1');
    assert.equal(status, 503);
    assert.equal(body['code'], 'POSTHORN_PUBLISH_NOT_ACKED');
    await system.above(0, 'posthorn_ingress_events_total', 'result="not_stored"');
    await system.above(0, 'posthorn_probe_rounds_total', 'result="refused"');
    const last = await system.metric(succeeded);
    await system.until((value) => value === -1, 'posthorn_stream_messages');
    await system.until((value) => value === 0, 'posthorn_nats_up');
    assert.equal(await system.metric(succeeded), last, 'the last success does not advance');
    const answer = await system.get('/readyz');
    assert.equal(answer.status, 503);
    assert.equal(((await answer.json()) as { checks: { nats: boolean } }).checks.nats, false);
    await system.logged(/queue_metrics\.look_failed/);
    await system.logged(/probe\.round_failed/);
  });
  const stored = async () => (await system.publish('demo', 'runbook.a', 'r1')).status === 202;
  await waitUntil(stored, { what: 'accepted again', ...DEADLINE });
  await system.above(-1, 'posthorn_stream_messages');
  await system.above(0, 'posthorn_nats_up');
  await system.above(0, 'posthorn_nats_reconnects_total');
  const now = Date.now() / 1000;
  await system.above(now, succeeded);
  await system.logged(/probe\.recovered/);
});

test('history-blocked, mongodb-down, api-failing: webhooks continue when MongoDB hangs', async () => {
  await system.endpoint('blocked', system.receiver.url('/blocked'));
  await system.whileHanging(system.pidOf('mongod'), async () => {
    await system.publish('blocked', 'runbook.b', 'r2');
    await system.receiver.waitFor(1, '/blocked', DEADLINE.deadlineMs);
    await system.above(0, 'posthorn_ingress_idempotency_skipped_total');
    await system.above(0, 'posthorn_projector_blocked_seconds');
    await system.above(
      0,
      'posthorn_consumer_oldest_seconds',
      'stream="ATT-0",consumer="projector"',
    );
    await system.logged(/projector\.write_failed/);
    await system.until((value) => value === 0, 'posthorn_mongodb_up');
    await system.above(0, 'posthorn_mongodb_last_failure_timestamp_seconds');
    assert.equal((await system.api('GET', '/v1/tenants/blocked')).status, 503);
    const failed = 'method="GET",route="/v1/tenants/:tenant",status_class="5xx"';
    await system.above(0, 'posthorn_http_request_duration_seconds_count', failed);
  });
  await system.above(0, 'posthorn_mongodb_up');
  await system.until((value) => value === 0, 'posthorn_projector_blocked_seconds');
  const skipped = await system.metric('posthorn_ingress_idempotency_skipped_total');
  await waitUntil(
    async () => {
      const answer = await system.publish('blocked', 'runbook.b', 'r2');
      return answer.status === 202 && answer.body['id'] === 'r2';
    },
    { what: 'ids are looked up again', ...DEADLINE },
  );
  await system.list('/v1/tenants/blocked/deliveries', 1);
  assert.ok((await system.metric('posthorn_ingress_idempotency_skipped_total')) <= skipped + 1);
});

test('history-blocked: the retention of records is raised to a week', { skip: linuxOnly }, () => {
  const page = projectText('docs/operations/runbooks/history-blocked.md');
  const script = /^LONGER='([^']+)'$/m.exec(page)?.[1] ?? '';
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, ...system.settings() },
    cwd: projectRoot,
    encoding: 'utf8',
  });
  assert.equal(printed, 'ATT-0 7\n');
});

test('the local system exports every metric that a runbook names', async () => {
  await system.above(0, 'posthorn_stream_messages');
  const exposed = await (await system.get('/metrics')).text();
  for (const { path, text } of projectFiles('docs/operations/runbooks/*.md')) {
    for (const [name] of text.matchAll(/\b(posthorn|nodejs|process)_[a-z0-9_]+/g)) {
      const histogram = name.replace(/_(?:bucket|sum|count)$/, '');
      const isExposed = [name, histogram].some((one) => exposed.includes(`# TYPE ${one} `));
      assert.ok(isExposed, `${path} names ${name}`);
    }
  }
});
