/** What docs/operations/runbooks say of a fault is what happens on the local system when it is made. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findFreePort } from '#src/embedded/free-port.ts';
import { commandLine } from '#src/embedded/stale-server.ts';
import { childrenOf } from '#testkit/child-processes.ts';
import { makeTempDir, type TempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { projectFiles } from '../docs/project-files.ts';
import { type Banner, PosthornProcess } from './posthorn-process.ts';

const DEADLINE_MS = 45_000;

let dir: TempDir;
let system: PosthornProcess;
let receiver: WebhookReceiver;
let banner: Banner;
let opsPort: number;

before(async () => {
  dir = await makeTempDir();
  opsPort = await findFreePort();
  receiver = await WebhookReceiver.start();
  system = new PosthornProcess(dir.path, {
    POSTHORN_OPS_PORT: String(opsPort),
    POSTHORN_PUBLISH_TIMEOUT_MS: '500',
    POSTHORN_PROBE_INTERVAL_MS: '1000',
  });
  banner = await system.banner();
});
after(async () => {
  await system.end();
  await receiver.close();
  await dir.remove();
});

const ops = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${opsPort}${path}`);

/** The sum of the series of a metric whose labels hold this text; -1 where there is none. */
async function metric(name: string, labels = ''): Promise<number> {
  const lines = (await (await ops('/metrics')).text()).split('\n');
  const values = lines
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => line.includes(labels))
    .map((line) => Number(line.slice(line.lastIndexOf(' '))));
  return values.length === 0 ? -1 : values.reduce((sum, value) => sum + value, 0);
}

async function above(bound: number, name: string, labels = ''): Promise<void> {
  const what = `${name}{${labels}} above ${bound}`;
  await waitUntil(async () => (await metric(name, labels)) > bound, {
    what,
    deadlineMs: DEADLINE_MS,
    intervalMs: 100,
  });
}

async function api(
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(banner.apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${banner.key}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const publish = (tenant: string, type: string, id: string) =>
  api('POST', `/v1/tenants/${tenant}/events`, { type, id, data: {} });

/** Stops a server as if its machine hung, for as long as `during` takes. */
async function whileHanging(program: string, during: () => Promise<void>): Promise<void> {
  const pid = childrenOf(system.pid).find((child) =>
    commandLine(child)?.split(' ')[0]?.includes(program),
  );
  assert.ok(pid !== undefined, `no ${program} runs`);
  process.kill(pid, 'SIGSTOP');
  try {
    await during();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

async function endpoint(tenant: string, path: string): Promise<string> {
  await api('PUT', `/v1/tenants/${tenant}`, {});
  const made = await api('POST', `/v1/tenants/${tenant}/endpoints`, {
    url: receiver.url(path),
    retry: { delays_seconds: [1] },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return String(made.body['id']);
}

test('ingress-not-storing, queues-unknown, probe-failing: counted, and readyz says that it is NATS', async () => {
  await above(0, 'posthorn_probe_rounds_total', 'result="succeeded"');
  await above(-1, 'posthorn_stream_messages');
  await whileHanging('nats-server', async () => {
    const { status, body } = await publish('demo', 'runbook.a', 'r1');
    assert.equal(status, 503);
    assert.equal(body['code'], 'POSTHORN_PUBLISH_NOT_ACKED');
    await above(0, 'posthorn_ingress_events_total', 'result="not_stored"');
    await above(0, 'posthorn_probe_rounds_total', 'result="refused"');
    await waitUntil(async () => (await ops('/readyz')).status === 503, {
      what: 'not ready',
      deadlineMs: DEADLINE_MS,
    });
    const { checks } = (await (await ops('/readyz')).json()) as { checks: { nats: boolean } };
    assert.equal(checks.nats, false);
    await waitUntil(async () => (await metric('posthorn_stream_messages')) === -1, {
      what: 'nobody tells what waits',
      deadlineMs: DEADLINE_MS,
    });
  });
  await waitUntil(async () => (await publish('demo', 'runbook.a', 'r1')).status === 202, {
    what: 'accepted again',
    deadlineMs: DEADLINE_MS,
  });
});

test('history-blocked: it is counted, and webhooks go on', async () => {
  await endpoint('blocked', '/blocked');
  await whileHanging('mongod', async () => {
    await publish('blocked', 'runbook.b', 'r2');
    await receiver.waitFor(1, '/blocked', DEADLINE_MS);
    await above(0, 'posthorn_ingress_idempotency_skipped_total');
    await above(0, 'posthorn_projector_blocked_seconds');
  });
  await waitUntil(async () => (await metric('posthorn_projector_blocked_seconds')) === 0, {
    what: 'the history is written again',
    deadlineMs: DEADLINE_MS,
  });
});

test('events-refused: it is counted, with a code', async () => {
  const { status, body } = await publish('demo', 'not a type', 'r3');
  assert.equal(status, 400);
  assert.match(String(body['code']), /^POSTHORN_/);
  await above(0, 'posthorn_ingress_events_total', 'result="refused"');
});

test('stream-grows: what is held for a paused endpoint waits', async () => {
  const path = `/v1/tenants/paused/endpoints/${await endpoint('paused', '/paused')}`;
  assert.equal((await api('PATCH', path, { state: 'paused' })).status, 200);
  await publish('paused', 'runbook.d', 'r4');
  await above(0, 'posthorn_deliveries_waiting');
  await waitUntil(
    async () => {
      const { body } = await api('GET', '/v1/tenants/paused/deliveries?status=held');
      return (body['data'] as unknown[]).length === 1;
    },
    { what: 'the held delivery in the list', deadlineMs: DEADLINE_MS },
  );
});

test('receivers-failing and dead-letters-grow: kinds of failure, circuits, groups', async () => {
  receiver.on('/ill', { status: 500 });
  await endpoint('ill', '/ill');
  for (let i = 0; i < 25; i++) await publish('ill', 'runbook.c', `c${i}`);
  await above(0, 'posthorn_delivery_attempts_total', 'error_type="http_status"');
  await above(0, 'posthorn_delivery_circuits_open');
  await above(0, 'posthorn_delivery_parked_total', 'reason="circuit"');
  await above(0, 'posthorn_projector_dead_letters_total', 'reason="exhausted"');
  const groups = await api('GET', '/v1/tenants/ill/dead-letters/groups');
  assert.equal((groups.body['data'] as unknown[]).length, 1);
});

test('every metric that a page names is told by the local system', async () => {
  await above(0, 'posthorn_stream_messages');
  const told = await (await ops('/metrics')).text();
  for (const { path, text } of projectFiles('docs/operations/runbooks/*.md')) {
    for (const [name] of text.matchAll(/\b(posthorn|nodejs|process)_[a-z0-9_]+/g)) {
      assert.ok(told.includes(`# TYPE ${name} `), `${path} names ${name}`);
    }
  }
});
