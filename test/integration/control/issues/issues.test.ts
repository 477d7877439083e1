import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { issueId } from '#domain/ids.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { healthStoreOf } from '#infra/mongo/endpoint-health.ts';
import { issueStoreOf } from '#infra/mongo/issues/issues.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { IssueCounter } from '#src/control/issues/issue-counter.ts';
import { markIssues } from '#src/control/issues/mark-issues.ts';
import { ManualClock } from '#testkit/test-clock.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import { encodeDeadLetterFrame } from '#wire/frames/dead-letter-frame.ts';
import { streams, subjects } from '#wire/subjects.ts';
import { storedMessages } from '../../nats-core.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

interface Tenant {
  name: string;
  endpoint: string;
}

async function newTenant(name: string): Promise<Tenant> {
  await plane.call('PUT', `/v1/tenants/${name}`, {});
  const made = await plane.call('POST', `/v1/tenants/${name}/endpoints`, {
    url: 'https://example.com/h',
    event_types: ['a.b', 'posthorn.*'],
  });
  assert.equal(made.status, 201, made.text);
  await waitUntil(() => plane.config.tenant(name)?.subscriptions.length === 1);
  return { name, endpoint: made.body.id };
}

let published = 0;

/** Publishes a dead letter, as a worker does. */
async function fail({ name, endpoint }: Tenant, status = 503): Promise<void> {
  const id = `dlv_${++published}`;
  const lastAttempt = {
    id: `att_${id}`,
    no: 3,
    startedMs: systemClock.wallMs(),
    durationMs: 5,
    status,
    failure: 'http_status' as const,
    worker: 'w',
  };
  const byReference = {
    id: `evt_${id}`,
    type: 'a.b',
    source: '/t',
    time: new Date().toISOString(),
    kind: 'json' as const,
    acceptedMs: systemClock.wallMs(),
    correlationId: id,
  };
  const head = {
    id,
    generation: '',
    attemptNo: 3,
    hop: 3,
    eventSeq: 1,
    reason: 'exhausted' as const,
    lastAttempt,
    byReference,
  };
  const frame = encodeDeadLetterFrame(head as never, Buffer.alloc(0));
  plane.nc.publish(subjects.deadLetter(name, endpoint), frame);
  await plane.nc.flush();
}

async function issueOf(tenant: Tenant, cause = 'http_503') {
  const id = issueId(tenant.name, tenant.endpoint, cause);
  return plane.call('GET', `/v1/tenants/${tenant.name}/issues/${id}`);
}

function counted(tenant: Tenant, count: number, opened = 1) {
  return waitUntil(async () => {
    const { status, body } = await issueOf(tenant);
    const fits = status === 200 && body.failure_count === count && body.opened_count === opened;
    return fits ? body : undefined;
  });
}

const act = (tenant: Tenant, id: string, action: string, headers = {}) =>
  plane.call('POST', `/v1/tenants/${tenant.name}/issues/${id}/${action}`, undefined, { headers });

/** Operational events to a tenant about issues, in order. */
async function announced(tenant: Tenant, count: number): Promise<[string, number][]> {
  return waitUntil(async () => {
    if ((await healthStoreOf(plane.db).outbox.countDocuments()) > 0) return undefined;
    const stored = await storedMessages(await jetstreamManager(plane.nc), streams.events(0));
    const events = stored
      .filter(({ subject }) => subject.startsWith(subjects.event(tenant.name, 'posthorn.issue')))
      .map(({ data }) => decodeEventFrame(data))
      .map(({ head, data }): [string, number] => [
        head.type,
        JSON.parse(data.toString()).opened_count as number,
      ]);
    return events.length >= count ? events : undefined;
  });
}

test('failures are grouped, counted by hour, acknowledged, resolved, and reopen their issue', async () => {
  const tenant = await newTenant('grouped');
  await fail(tenant);
  await fail(tenant);
  await fail(tenant, 500);
  const opened = await counted(tenant, 2);
  assert.equal(opened.status, 'open');
  assert.equal(opened.cause, 'http_503');
  assert.equal(opened.endpoint_id, tenant.endpoint);
  const hourly = opened.hourly_counts as { failure_count: number }[];
  assert.equal(
    hourly.reduce((sum, { failure_count: count }) => sum + count, 0),
    2,
  );
  const other = await waitUntil(async () => {
    const { body } = await plane.call('GET', '/v1/tenants/grouped/issues?cause=http_500');
    return body.data.length === 1 ? body.data[0] : undefined;
  });
  assert.equal(other.failure_count, 1);

  const acknowledged = await act(tenant, opened.id, 'acknowledge');
  assert.equal(acknowledged.body.status, 'acknowledged', acknowledged.text);
  assert.notEqual(acknowledged.body.acknowledged_at, null);
  await fail(tenant);
  assert.equal((await counted(tenant, 3)).status, 'acknowledged');

  const resolved = await act(tenant, opened.id, 'resolve');
  assert.equal(resolved.body.status, 'resolved');
  assert.equal((await act(tenant, opened.id, 'resolve')).body.revision, resolved.body.revision);
  const refused = await act(tenant, opened.id, 'acknowledge');
  assert.deepEqual([refused.status, refused.body.code], [409, 'POSTHORN_ISSUE_RESOLVED']);
  await fail(tenant);
  assert.equal((await counted(tenant, 4, 2)).status, 'open');
  const listed = await plane.call('GET', '/v1/tenants/grouped/issues?status=open&limit=1');
  assert.deepEqual(
    listed.body.data.map((issue: { cause: string }) => issue.cause),
    ['http_503'],
  );
  const next = listed.body.next_cursor as string;
  const rest = await plane.call(
    'GET',
    `/v1/tenants/grouped/issues?status=open&limit=1&cursor=${next}`,
  );
  assert.deepEqual(
    rest.body.data.map((issue: { cause: string }) => issue.cause),
    ['http_500'],
  );
  const events = await announced(tenant, 4);
  const types = events.map(([type, count]) => `${type.slice('posthorn.issue.'.length)} ${count}`);
  assert.deepEqual(types.toSorted(), ['opened 1', 'opened 1', 'opened 2', 'resolved 1']);
});

test('an issue is opened and counted once when its dead letters are marked again', async () => {
  const tenant = await newTenant('repeated');
  const { issues } = issueStoreOf(plane.db);
  await fail(tenant);
  const { id } = await counted(tenant, 1);
  const letters = await historyOf(plane.db).deadLetters.find({ tenant: 'repeated' }).toArray();
  await markIssues({ issues }, letters, systemClock.wallMs() - 10_000);
  await waitUntil(async () => {
    const issue = await issues.findOne({ _id: id });
    return issue?.due_at === undefined && issue?.claim === undefined;
  });
  assert.equal((await counted(tenant, 1)).opened_count, 1);
  assert.equal((await announced(tenant, 1)).length, 1);
});

test('a count that died is repeated when its claim expires, with the hours that it had', async () => {
  const tenant = await newTenant('crashed');
  const issueStore = issueStoreOf(plane.db);
  const at = new Date(systemClock.wallMs() - 3600_000);
  const letter = {
    _id: 'dlv_crashed',
    tenant: 'crashed',
    event: 'e',
    endpoint: tenant.endpoint,
    type: 'a.b',
    at,
    accepted_at: at,
    reason: 'exhausted',
    cause: 'http_503',
    attempt_count: 1,
    last_attempt: null,
    seq: 1,
    frame: null,
    replayed_at: null,
    replay: null,
    discarded_at: null,
  };
  await historyOf(plane.db).deadLetters.insertOne(letter);
  const _id = issueId('crashed', tenant.endpoint, 'http_503');
  const hour = new Date(Math.floor(at.getTime() / 3600_000) * 3600_000);
  await issueStore.issues.insertOne({
    _id,
    tenant: 'crashed',
    endpoint: tenant.endpoint,
    cause: 'http_503',
    first_failed_at: at,
    last_failed_at: at,
    count: 0,
    openings: 0,
    revision: 0,
    changed_hours: [],
    counting: [hour],
    claim: 'of a process that died',
    claimed_until: new Date(systemClock.wallMs() - 1),
    expires_at: new Date(at.getTime() + 24 * 3600_000),
  });
  assert.equal((await counted(tenant, 1)).status, 'open');
});

test('two processes count the same issue once, and a count of an unknown tenant opens nothing', async () => {
  const issueStore = issueStoreOf(plane.db);
  const clock = new ManualClock();
  const announcements: unknown[] = [];
  const counter = () =>
    new IssueCounter({
      issueStore,
      history: historyOf(plane.db),
      store: { outbox: { bulkWrite: async (some: unknown[]) => announcements.push(...some) } },
      config: { tenant: () => undefined, currentTenant: () => undefined },
      operatorTenant: undefined,
      lives: { find: async () => undefined },
      clock,
      log: createLog('silent'),
    } as never);
  const at = new Date(clock.wallMs());
  const letter = { tenant: 'gone', endpoint: 'ep_gone', cause: 'timeout', at };
  await markIssues(issueStore, [letter], clock.wallMs());
  clock.advance(5000);
  await Promise.all([counter().countDue(), counter().countDue()]);
  const stored = await waitUntil(async () => {
    const found = await issueStore.issues.findOne({ tenant: 'gone' });
    return found?.claim === undefined && found?.due_at === undefined ? found : undefined;
  });
  assert.equal(stored?.status, undefined);
  assert.deepEqual(announcements, []);
});

test("another tenant's issue is not found, and a deleted tenant's issues are removed", async () => {
  const tenant = await newTenant('owner');
  const stranger = await newTenant('stranger');
  await fail(tenant);
  const { id } = await counted(tenant, 1);
  for (const action of ['acknowledge', 'resolve', 'reopen']) {
    assert.equal((await act(stranger, id, action)).status, 404);
  }
  assert.equal((await plane.call('GET', `/v1/tenants/stranger/issues/${id}`)).status, 404);
  assert.deepEqual((await plane.call('GET', '/v1/tenants/stranger/issues')).body.data, []);
  await plane.call('DELETE', '/v1/tenants/owner');
  await plane.call('PUT', '/v1/tenants/owner', {});
  assert.deepEqual((await plane.call('GET', '/v1/tenants/owner/issues')).body.data, []);
  const { issues, hours } = issueStoreOf(plane.db);
  await waitUntil(async () => (await issues.countDocuments({ tenant: 'owner' })) === 0);
  await waitUntil(async () => (await hours.countDocuments({ tenant: 'owner' })) === 0);
});
