import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ErrorReports, type LoggedError } from '#infra/telemetry/error-reports.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { type ReceivedRequest, WebhookReceiver } from '#testkit/webhook-receiver.ts';

const ENVELOPE = '/sentry/api/7/envelope/';

interface SentEvent {
  event_id: string;
  logger: string;
  environment: string;
  tags: Record<string, string>;
  extra: { dropped_before: number };
  exception: {
    values: { type: string; value: string; stacktrace: { frames: { filename: string }[] } }[];
  };
}

interface Setup {
  receiver: WebhookReceiver;
  reports: ErrorReports;
  clock: { nowMs: number };
  failures: string[];
  sent: () => SentEvent[];
}

async function setup(t: TestContext): Promise<Setup> {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  const clock = { nowMs: 1_000_000 };
  const failures: string[] = [];
  const reports = new ErrorReports({
    dsn: `http://public-key@127.0.0.1:${receiver.port}/sentry/7`,
    environment: 'test',
    roles: 'router,delivery',
    now: () => clock.nowMs,
    onFailed: (reason) => failures.push(reason),
  });
  const sent = () => receiver.at(ENVELOPE).map(eventOf);
  return { receiver, reports, clock, failures, sent };
}

function eventOf({ body }: ReceivedRequest): SentEvent {
  const [head, item, event] = body.toString().split('\n');
  assert.deepEqual(JSON.parse(item ?? ''), { type: 'event' });
  const parsed = JSON.parse(event ?? '') as SentEvent;
  assert.equal((JSON.parse(head ?? '') as { event_id: string }).event_id, parsed.event_id);
  return parsed;
}

function logged(name: string, facts: Record<string, unknown> = {}): LoggedError {
  return { err: new SyntaxError('"4111 1111" is not valid JSON'), name, facts };
}

test('an error is reported with its location and ids, and without its message', async (t) => {
  const { receiver, reports, sent } = await setup(t);
  const err = Object.assign(new RangeError('4111 1111'), { code: 'ERR_X' });
  const facts = { request_id: 'req_1', tenant_id: 'acme', body: '4111 1111', err };
  reports.report({ err, name: 'router.undecodable', facts });
  await reports.flush();
  const [request] = receiver.at(ENVELOPE);
  assert.equal(request?.headers['content-type'], 'application/x-sentry-envelope');
  assert.match(request.headers['x-sentry-auth'] ?? '', /sentry_key=public-key\b/);
  assert.ok(!request.body.includes('4111'));
  const [event] = sent();
  assert.match(event?.event_id ?? '', /^[0-9a-f]{32}$/);
  assert.equal(event?.logger, 'router.undecodable');
  assert.equal(event.environment, 'test');
  const tags = { request_id: 'req_1', tenant_id: 'acme', roles: 'router,delivery' };
  assert.deepEqual(event.tags, tags);
  const [exception] = event.exception.values;
  assert.equal(exception?.type, 'RangeError');
  assert.equal(exception.value, 'router.undecodable ERR_X');
  assert.ok(exception.stacktrace.frames.some(({ filename }) => filename.includes('error-reports')));
});

test('one location is reported once a minute, and the next report has the number of errors', async (t) => {
  const { reports, clock, sent } = await setup(t);
  for (let i = 0; i < 3; i++) {
    reports.report(logged('a.failed'));
    await reports.flush();
  }
  assert.equal(sent().length, 1);
  clock.nowMs += 60_000;
  reports.report(logged('a.failed'));
  await reports.flush();
  assert.deepEqual(
    sent().map(({ extra }) => extra.dropped_before),
    [0, 2],
  );
});

test('at most 20 errors a minute are reported', async (t) => {
  const { reports, sent } = await setup(t);
  for (let i = 0; i < 25; i++) {
    reports.report(logged(`part_${i}.failed`));
    await reports.flush();
  }
  assert.equal(sent().length, 20);
});

test('at most 4 reports are in flight', async (t) => {
  const { reports, sent } = await setup(t);
  for (let i = 0; i < 10; i++) reports.report(logged(`part_${i}.failed`));
  await reports.flush();
  assert.equal(sent().length, 4);
});

test('a service that asks for a pause gets none until it ends', async (t) => {
  const { receiver, reports, clock, failures, sent } = await setup(t);
  receiver.on(ENVELOPE, { status: 429, headers: { 'retry-after': '150' } });
  reports.report(logged('a.failed'));
  await reports.flush();
  assert.deepEqual(failures, ['the service answered 429']);
  receiver.on(ENVELOPE, { status: 200 });
  clock.nowMs += 149_000;
  reports.report(logged('a.failed'));
  await reports.flush();
  assert.equal(sent().length, 1);
  clock.nowMs += 2000;
  reports.report(logged('a.failed'));
  await reports.flush();
  assert.equal(sent().length, 2);
});

test('a service that is down is logged once', async (t) => {
  const { receiver, reports, failures } = await setup(t);
  await receiver.close();
  for (let i = 0; i < 3; i++) {
    reports.report(logged(`part_${i}.failed`));
    await reports.flush();
  }
  assert.equal(failures.length, 1);
});

test('only log lines of level error with an err are reported', () => {
  const reported: LoggedError[] = [];
  const log = createLog('error', {}, { report: (one) => reported.push(one) });
  const err = new Error('x');
  log.warn({ err }, 'a.warning');
  log.error({ error: 'text' }, 'a.fact');
  log.error('a.line');
  log.error({ err: 'text' }, 'a.text');
  log.child({ part: 1 }).error({ err, request_id: 'req_1' }, 'a.failed');
  assert.deepEqual(
    reported.map(({ name, facts }) => [name, facts['request_id']]),
    [['a.failed', 'req_1']],
  );
});
