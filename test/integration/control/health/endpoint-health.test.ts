import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { healthStoreOf } from '#infra/mongo/endpoint-health.ts';
import { AttemptsByEndpoint } from '#src/control/health/attempts.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { encodeDeadLetterFrame } from '#wire/frames/dead-letter-frame.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import {
  type OperationalEventType,
  operationalEventData,
} from '#wire/openapi/operational-events.ts';
import type { AttemptRecord, DeliveryRecord } from '#wire/frames/record.ts';
import { streams, subjects } from '#wire/subjects.ts';
import { storedMessages } from '../../nats-core.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never, {
    settings: {
      operatorTenant: 'operator',
      endpointDisableAfterSeconds: 1000,
    },
  });
});

const AGE_SECONDS = 2000;

interface Tenant {
  name: string;
  endpoint: string;
  path: string;
  /** A second after which its attempts count, in milliseconds. */
  startMs: number;
}

async function newTenant(name: string, body: object = {}): Promise<Tenant> {
  await plane.call('PUT', `/v1/tenants/${name}`, {});
  const endpoints = `/v1/tenants/${name}/endpoints`;
  const made = await plane.call('POST', endpoints, { url: 'https://example.com/h', ...body });
  assert.equal(made.status, 201, made.text);
  const path = `${endpoints}/${made.body.id}`;
  // Long ago, so that its attempts come before the actions of the test.
  const createdAt = new Date(Date.now() - AGE_SECONDS * 1000);
  const { endpoints: stored } = configurationOf(plane.db);
  await stored.updateOne({ _id: made.body.id }, { $set: { created_at: createdAt } });
  const startMs = createdAt.getTime() + 1000;
  return { name, endpoint: made.body.id, path, startMs };
}

/** The record of an attempt so many seconds after the start; a string is how it failed. */
function attempt(tenant: Tenant, seconds: number, failure?: string): DeliveryRecord {
  const made: AttemptRecord = {
    id: `att_${tenant.name}_${seconds}`,
    no: 1,
    startedMs: tenant.startMs + seconds * 1000,
    durationMs: 5,
    status: failure === undefined ? 200 : 503,
    worker: 'w',
  };
  if (failure !== undefined) Object.assign(made, { failure: 'http_status', detail: failure });
  return {
    k: 'delivery',
    tenant: tenant.name,
    event: 'e',
    type: 'a.b',
    acceptedMs: 0,
    id: 'dlv_1',
    endpoint: tenant.endpoint,
    hop: 0,
    status: 'pending',
    attempt: made,
  };
}

async function track(...records: DeliveryRecord[]): Promise<void> {
  const attempts = new AttemptsByEndpoint();
  for (const record of records) attempts.add(record);
  await plane.control.trackHealth(attempts);
}

interface Announced {
  type: string;
  id: string;
  data: Record<string, unknown>;
}

/** Waits for a number of announcements to a tenant about an endpoint, and for an empty outbox. */
function announced(receiver: string, endpoint: string, count: number): Promise<Announced[]> {
  return waitUntil(async () => {
    if ((await healthStoreOf(plane.db).outbox.countDocuments()) > 0) return undefined;
    const stored = await storedMessages(await jetstreamManager(plane.nc), streams.events(0));
    const events = stored
      .filter(({ subject }) => subject.startsWith(`${subjects.event(receiver, 'posthorn')}.`))
      .map(({ data }) => decodeEventFrame(data))
      .map(({ head, data }) => ({
        type: head.type,
        id: head.id,
        data: JSON.parse(data.toString()) as Record<string, unknown>,
      }))
      .filter(({ data }) => data['endpoint_id'] === endpoint);
    for (const event of events) assertDescribed(event);
    return events.length >= count ? events : undefined;
  });
}

const ajv = formats.default(new Ajv2020({ strict: false }));

/** The reference shows the data of the event as it is. */
function assertDescribed({ type, data }: Announced): void {
  const described = operationalEventData[type as OperationalEventType];
  assert.ok(ajv.validate(described, data), `${type}: ${ajv.errorsText()}`);
}

const FAILURE = '$literal: the receiver said no';

test('an endpoint shows its health: unknown, healthy, failing since, disables at, held', async () => {
  const tenant = await newTenant('seen', { disable_after_seconds: 500 });
  const health = async () => (await plane.call('GET', tenant.path)).body.health;
  assert.equal((await health()).status, 'unknown');
  await track(attempt(tenant, 0));
  assert.equal((await health()).status, 'healthy');
  await track(attempt(tenant, 10, FAILURE), attempt(tenant, 20, FAILURE));
  const at = (seconds: number) => new Date(tenant.startMs + seconds * 1000).toISOString();
  assert.deepEqual(await health(), {
    status: 'failing',
    failing_since: at(10),
    disables_at: at(510),
    last_success_at: at(0),
    last_failure: {
      started_at: at(20),
      failure: 'http_status',
      response_status: 503,
      detail: FAILURE,
    },
    held_count: 0,
  });
  const when = new Date();
  const state = { hop: 0, rank: 1, reason: null, at: when, next_attempt_at: null };
  const delivery = { tenant: 'seen', event: 'e', type: 'a.b', accepted_at: when };
  await historyOf(plane.db).deliveries.insertOne({
    ...delivery,
    _id: 'dlv_held',
    endpoint: tenant.endpoint,
    state: { ...state, status: 'held' },
  });
  assert.equal((await health()).held_count, 1);
  await track(attempt(tenant, 30));
  assert.equal((await health()).status, 'healthy');
});

test('repeated and reordered records give the same health', async () => {
  const tenant = await newTenant('orders');
  const records = [
    attempt(tenant, 0, 'a'),
    attempt(tenant, 5),
    attempt(tenant, 7, 'b'),
    attempt(tenant, 9, 'c'),
  ];
  const { health } = healthStoreOf(plane.db);
  const sinceAfter = async (order: number[]): Promise<number> => {
    await health.deleteOne({ _id: tenant.endpoint });
    for (const i of order) await track(records[i] as DeliveryRecord);
    const known = await health.findOne({ _id: tenant.endpoint });
    assert.equal(known?.last_failure?.detail, 'c');
    assert.equal(known?.last_success_at?.getTime(), tenant.startMs + 5000);
    return ((known?.failing_since?.getTime() ?? 0) - tenant.startMs) / 1000;
  };
  assert.equal(await sinceAfter([0, 1, 2, 3]), 7);
  assert.equal(await sinceAfter([0, 1, 1, 0, 2, 1, 3, 2, 0]), 7);
  assert.equal(await sinceAfter([3, 2, 1, 0]), 7);
  assert.equal(await sinceAfter([1, 3, 2]), 7);
  // The success came later than failures before and after it: the time is shorter, never longer.
  assert.equal(await sinceAfter([2, 0, 3, 1]), 9);
});

test('an endpoint is warned at 50, 75 and 90 %, then disabled, each announced once to tenant and operator', async () => {
  const tenant = await newTenant('failing');
  for (const seconds of [0, 499, 500, 750, 900, 999]) {
    await track(attempt(tenant, seconds, FAILURE));
    // As after a crash: the same batch again.
    await track(attempt(tenant, seconds, FAILURE));
  }
  const before = (await plane.call('GET', tenant.path)).body;
  assert.equal(before.status, 'active');
  await track(attempt(tenant, 1000, FAILURE));
  await track(attempt(tenant, 1000, FAILURE));
  const { body } = await plane.call('GET', tenant.path);
  assert.deepEqual([body.status, body.status_reason], ['disabled', 'failing']);
  const events = await announced('failing', tenant.endpoint, 4);
  assert.deepEqual(
    events.map(({ type, data }) => [type, data['percent'] ?? null]),
    [
      ['posthorn.endpoint.failing', 50],
      ['posthorn.endpoint.failing', 75],
      ['posthorn.endpoint.failing', 90],
      ['posthorn.endpoint.disabled', null],
    ],
  );
  const last = events.at(-1)?.data;
  assert.equal(last?.['reason'], 'failing');
  assert.equal(last?.['url'], 'https://example.com/h');
  assert.equal(last?.['tenant_id'], 'failing');
  assert.deepEqual(await announced('operator', tenant.endpoint, 4), events);
});

test('an activated endpoint gets the full failing time again, and its first success is announced', async () => {
  const tenant = await newTenant('back');
  for (const seconds of [0, 500, 1000]) await track(attempt(tenant, seconds, FAILURE));
  assert.equal((await plane.call('GET', tenant.path)).body.status, 'disabled');
  const activated = await plane.call('PATCH', tenant.path, { status: 'active' });
  assert.equal(activated.body.status, 'active');
  // Sent before it was activated, and known only now.
  await track(attempt(tenant, 1001, FAILURE));
  assert.equal((await plane.call('GET', tenant.path)).body.health.status, 'healthy');
  await track(attempt(tenant, AGE_SECONDS + 100, FAILURE));
  const { body } = await plane.call('GET', tenant.path);
  assert.equal(body.status, 'active');
  assert.equal(body.health.status, 'failing');
  assert.ok(Date.parse(body.health.failing_since) >= Date.parse(activated.body.updated_at));
  await track(attempt(tenant, AGE_SECONDS + 101));
  assert.equal((await plane.call('GET', tenant.path)).body.health.status, 'healthy');
  const events = await announced('back', tenant.endpoint, 3);
  const recovered = events.at(-1);
  assert.equal(recovered?.type, 'posthorn.endpoint.recovered');
  assert.equal(recovered?.data['was_disabled'], true);
});

test('a 410 disables the endpoint and is announced once', async () => {
  const tenant = await newTenant('gone');
  const record = { k: 'endpoint-gone' as const, tenant: 'gone', endpoint: tenant.endpoint };
  for (let i = 0; i < 3; i++) {
    await plane.control.disableGoneEndpoint({ ...record, url: 'https://example.com/h' });
  }
  const [event, ...more] = await announced('gone', tenant.endpoint, 1);
  assert.equal(more.length, 0);
  assert.equal(event?.type, 'posthorn.endpoint.disabled');
  assert.equal(event?.data['reason'], 'gone');
});

test('a dead letter is announced to subscribers, and one of an operational event never', async () => {
  const deaf = await newTenant('deaf');
  const ears = await newTenant('ears', { event_types: ['posthorn.delivery.exhausted'] });
  const listens = (name: string) =>
    plane.config.tenant(name)?.endpoints.length === 1 &&
    plane.config.tenant(name)?.subscriptions.length === 1;
  await waitUntil(() => listens('deaf') && listens('ears'));
  const deadLetter = (tenant: Tenant, id: string, type: string): void => {
    const event = { id: 'e', type, source: '/s', time: '2026-01-31T12:00:00Z' };
    const head = { ...event, kind: 'json' as const, acceptedMs: 1, correlationId: 'r' };
    const { endpoint } = tenant;
    const letter = { id, endpoint, attemptNo: 12, hop: 11, eventSeq: 1, reason: 'exhausted' };
    const frame = encodeDeadLetterFrame(letter, encodeEventFrame(head, '{}'));
    plane.nc.publish(subjects.deadLetter(tenant.name, endpoint), frame);
  };
  deadLetter(deaf, 'dlv_deaf', 'order.created');
  deadLetter(ears, 'dlv_loop', 'posthorn.endpoint.failing');
  deadLetter(ears, 'dlv_ears', 'order.created');
  const stored = ['dlv_deaf', 'dlv_loop', 'dlv_ears'];
  const { deadLetters } = historyOf(plane.db);
  await waitUntil(async () => (await deadLetters.countDocuments({ _id: { $in: stored } })) === 3);
  const [event, ...more] = await announced('ears', ears.endpoint, 1);
  assert.equal(more.length, 0);
  assert.equal(event?.type, 'posthorn.delivery.exhausted');
  assert.equal(event?.data['delivery_id'], 'dlv_ears');
  assert.equal(event?.data['event_type'], 'order.created');
  assert.deepEqual(await announced('deaf', deaf.endpoint, 0), []);
});

test('rejects an out-of-range failing time with its name', async () => {
  const tenant = await newTenant('bounds');
  for (const value of [0, -1, 59, 1.5, 400 * 24 * 3600, '60']) {
    const answer = await plane.call('PATCH', tenant.path, { disable_after_seconds: value });
    assert.equal(answer.status, 400, `${value}`);
    assert.equal(answer.body.errors[0].pointer, '/disable_after_seconds');
  }
  const set = await plane.call('PATCH', tenant.path, { disable_after_seconds: 60 });
  assert.equal(set.body.disable_after_seconds, 60);
  const unset = await plane.call('PATCH', tenant.path, { disable_after_seconds: null });
  assert.equal(unset.body.disable_after_seconds, null);
});
