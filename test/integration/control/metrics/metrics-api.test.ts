import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { bucketStartMs } from '#domain/metrics/granularity.ts';
import { systemClock } from '#infra/system-clock.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { cellId, expiryOf, metricCellsOf } from '#infra/mongo/metrics/metric-cells.ts';
import { Batch } from '#src/control/projector/merge.ts';
import { writeBatch } from '#src/control/projector/write.ts';
import type { HistoryRecord } from '#wire/frames/record.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import { attemptRecord } from './metrics-bench.ts';

let plane: ControlPlane;
const stops: (() => unknown)[] = [];
/** An hour that has ended, of the past two days. */
const HOUR_MS = bucketStartMs('1h', systemClock.wallMs() - 3 * 3600 * 1000);

before(async () => {
  plane = await startControlPlane({ after: (stop) => void stops.push(stop as () => unknown) });
  for (const tenant of ['acme', 'beta']) await plane.call('PUT', `/v1/tenants/${tenant}`, {});
  await write([
    routed('acme', 'e1', HOUR_MS + 1000, ['ep_1', 'ep_2']),
    routed('acme', 'e2', HOUR_MS + 61_000, ['ep_1']),
    routed('beta', 'e3', HOUR_MS + 1000, ['ep_9']),
    attempt('acme', 'e1', 'ep_1', HOUR_MS + 1000, 1, 20, 'ok'),
    attempt('acme', 'e1', 'ep_2', HOUR_MS + 1000, 1, 20, 'retry'),
    attempt('acme', 'e1', 'ep_2', HOUR_MS + 1000, 2, 5000, 'dead'),
    attempt('beta', 'e3', 'ep_9', HOUR_MS + 1000, 1, 40, 'ok'),
  ]);
  await computed();
});
after(async () => {
  for (const stop of stops.toReversed()) await stop();
});

function routed(
  tenant: string,
  event: string,
  acceptedMs: number,
  endpoints: string[],
): HistoryRecord {
  const deliveries = endpoints.map((endpoint) => ({
    id: `dlv_${tenant}_${event}_${endpoint}`,
    endpoint,
    status: 'pending' as const,
  }));
  return { k: 'routed', tenant, event, type: 'a.b', acceptedMs, deliveries };
}

function attempt(
  tenant: string,
  event: string,
  endpoint: string,
  acceptedMs: number,
  no: number,
  afterMs: number,
  result: 'ok' | 'retry' | 'dead',
): HistoryRecord {
  return attemptRecord({ tenant, event, endpoint, acceptedMs }, no, afterMs, result);
}

async function write(records: HistoryRecord[]): Promise<void> {
  const batch = new Batch();
  for (const record of records) batch.addRecord(record);
  await writeBatch(historyOf(plane.db), batch);
  await plane.control.markMetrics(batch.changedCells.all());
}

/** Waits until no cell is marked: those that are due later are made due. */
async function computed(): Promise<void> {
  const cells = metricCellsOf(plane.db);
  await waitUntil(async () => {
    const now = new Date();
    await cells.updateMany({ due_at: { $gt: now } }, { $set: { due_at: now } });
    const left = { $or: [{ due_at: { $exists: true } }, { claim: { $exists: true } }] };
    return (await cells.countDocuments(left)) === 0;
  });
}

const range = `start=${new Date(HOUR_MS).toISOString()}&end=${new Date(HOUR_MS + 3600_000).toISOString()}`;

async function get(path: string): Promise<{
  data: { start: string; group: object; values: Record<string, number | null> }[];
  pending_cell_count: number;
  granularity: string | null;
  start: string;
}> {
  const answer = await plane.call('GET', path);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

test('deliveries of a tenant are counted by status, with rates and latencies', async () => {
  const { data, granularity } = await get(`/v1/tenants/acme/metrics/deliveries?${range}`);
  assert.equal(granularity, null);
  assert.equal(data.length, 1);
  const { latency_p50_ms: p50, ...values } = data[0]?.values ?? {};
  assert.ok(Math.abs((p50 ?? 0) - 20) <= 0.4, String(p50));
  assert.deepEqual(values, {
    count: 3,
    delivered_count: 1,
    failed_count: 1,
    cancelled_count: 0,
    pending_count: 1,
    held_count: 0,
    error_rate: 0.5,
    first_attempt_rate: 1,
    avg_attempts: 1.5,
    latency_p90_ms: p50,
    latency_p95_ms: p50,
    latency_p99_ms: p50,
  });
});

test('dimensions group, filters select, and every bucket is present without dimensions', async () => {
  const path = '/v1/tenants/acme/metrics/deliveries';
  const grouped = await get(`${path}?${range}&dimensions=endpoint_id&measures=count,failed_count`);
  assert.deepEqual(
    grouped.data.map(({ group, values }) => ({ ...group, ...values })),
    [
      { endpoint_id: 'ep_1', count: 2, failed_count: 0 },
      { endpoint_id: 'ep_2', count: 1, failed_count: 1 },
    ],
  );
  const one = await get(`${path}?${range}&endpoint_id=ep_2&endpoint_id=ep_3&measures=count`);
  assert.deepEqual(one.data[0]?.values, { count: 1 });
  const minutes = await get(`${path}?${range}&granularity=1m&measures=count`);
  assert.equal(minutes.data.length, 60);
  assert.deepEqual(
    minutes.data.slice(0, 3).map(({ values }) => values['count']),
    [2, 1, 0],
  );
  const quarters = await get(`${path}?${range}&granularity=15m&measures=count`);
  assert.deepEqual(
    quarters.data.map(({ values }) => values['count']),
    [3, 0, 0, 0],
  );
  const hours = await get(`${path}?${range}&granularity=1h&measures=count`);
  assert.deepEqual(
    hours.data.map(({ values }) => values['count']),
    [3],
  );
});

test('attempts are counted by response class and failure', async () => {
  const dimensions = 'dimensions=response_class,failure&measures=count,retry_count,error_rate';
  const { data } = await get(`/v1/tenants/acme/metrics/attempts?${range}&${dimensions}`);
  assert.deepEqual(
    data.map(({ group, values }) => ({ ...group, ...values })),
    [
      { response_class: '2xx', failure: 'none', count: 1, retry_count: 0, error_rate: 0 },
      { response_class: '5xx', failure: 'http_status', count: 2, retry_count: 1, error_rate: 1 },
    ],
  );
});

test('the queue shows the deliveries that wait and the age of the oldest', async () => {
  const { data } = await get('/v1/tenants/acme/metrics/queue');
  const { oldest_pending_seconds: oldest, ...values } = data[0]?.values ?? {};
  assert.deepEqual(values, {
    count: 1,
    pending_count: 1,
    held_count: 0,
    oldest_held_seconds: null,
  });
  const age = (systemClock.wallMs() - HOUR_MS - 61_000) / 1000;
  assert.ok(Math.abs((oldest ?? 0) - age) < 60, `${oldest} for ${age}`);
});

test('operators see all tenants, by tenant, and a tenant in detail with a filter', async () => {
  const all = await get(`/v1/metrics/deliveries?${range}&dimensions=tenant_id&measures=count`);
  assert.deepEqual(
    all.data.map(({ group, values }) => ({ ...group, ...values })),
    [
      { tenant_id: 'acme', count: 3 },
      { tenant_id: 'beta', count: 1 },
    ],
  );
  const one = await get(
    `/v1/metrics/deliveries?${range}&tenant_id=beta&tenant_id=nobody&dimensions=tenant_id,endpoint_id&measures=count`,
  );
  assert.deepEqual(
    one.data.map(({ group, values }) => ({ ...group, ...values })),
    [{ tenant_id: 'beta', endpoint_id: 'ep_9', count: 1 }],
  );
  const events = await get(`/v1/metrics/events?${range}&measures=count,accepted_count`);
  assert.deepEqual(events.data[0]?.values, { count: 0, accepted_count: 0 });
});

test('a wide cell that is to be computed again is read from the narrower ones', async () => {
  const cells = metricCellsOf(plane.db);
  const id = { tenant: 'beta', family: 'deliveries', width: '1h' } as const;
  const later = new Date(systemClock.wallMs() + 3600_000);
  await cells.updateOne(id, { $set: { due_at: later, totals: [] } });
  const { data, pending_cell_count: pending } = await get(
    `/v1/tenants/beta/metrics/deliveries?${range}&granularity=1h&measures=count`,
  );
  assert.deepEqual([data[0]?.values, pending], [{ count: 1 }, 0]);
  const minute = { ...id, width: '1m' } as const;
  await cells.updateOne(minute, { $set: { due_at: later } });
  const marked = await get(
    `/v1/tenants/beta/metrics/deliveries?${range}&granularity=1h&measures=count`,
  );
  assert.deepEqual([marked.data[0]?.values, marked.pending_cell_count], [{ count: 1 }, 1]);
  await computed();
});

const tooMany = `start=2026-01-01T00:00:00Z&end=2026-12-31T00:00:00Z`;
const rejected: [string, string, RegExp][] = [
  [`${tooMany}&granularity=1m`, '#query/granularity', /at most 1500 buckets/],
  ['start=2020-01-01T00:00:00Z&end=2020-01-01T01:00:00Z&granularity=1m', '#query/end', /2 days/],
  ['start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z', '#query/start', /must be before end/],
  ['start=2026-02-30T00:00:00Z', '#query/start', /must/],
  ['start=yesterday', '#query/start', /must/],
  ['measures=count,p50', '#query/measures', /must be words of count, /],
  ['measures=count,count', '#query/measures', /each word once/],
  ['dimensions=planet', '#query/dimensions', /must be words of endpoint_id, /],
  ['dimensions=tenant_id', '#query/dimensions', /must be words of endpoint_id, /],
  ['tenant_id=beta', '#query/tenant_id', /unknown field/],
  ['granularity=2m', '#query/granularity', /must/],
  ['status=done', '#query/status/0', /must/],
];
for (const [query, pointer, detail] of rejected) {
  test(`rejects ?${query} with a fault of ${pointer}`, async () => {
    const answer = await plane.call('GET', `/v1/tenants/acme/metrics/deliveries?${query}`);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.body.code, 'POSTHORN_REQUEST_INVALID');
    assert.equal(answer.body.errors[0].pointer, pointer);
    assert.match(answer.body.errors[0].detail, detail);
  });
}

test('rejects endpoints of all tenants with the filter that they need', async () => {
  for (const query of ['dimensions=endpoint_id', 'endpoint_id=ep_1', 'event_type=a.b']) {
    const answer = await plane.call('GET', `/v1/metrics/deliveries?${query}`);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.text, /needs the filter tenant_id/);
  }
});

test('rejects an answer with more points than the bound', async () => {
  const cells = metricCellsOf(plane.db);
  const start = new Date(HOUR_MS + 1800_000);
  const rows = Array.from({ length: limits.metricPointsMax + 1 }, (_, i) => ({
    k: [`ep_${i}`, 'a.b', 'delivered'],
    n: 1,
  }));
  const place = { tenant: 'large', family: 'deliveries', width: '1m', start } as const;
  await cells.insertOne({ _id: cellId(place), ...place, rows, expires_at: expiryOf(place) });
  await plane.call('PUT', '/v1/tenants/large', {});
  const path = `/v1/tenants/large/metrics/deliveries?${range}&granularity=1m`;
  const answer = await plane.call('GET', `${path}&dimensions=endpoint_id`);
  assert.equal(answer.status, 400, answer.text);
  assert.match(answer.text, /at most 10000 points/);
});

test("a deleted tenant's metrics are gone, and its next life begins without any", async () => {
  await plane.call('PUT', '/v1/tenants/brief', {});
  await write([routed('brief', 'e1', HOUR_MS + 1000, ['ep_1'])]);
  await computed();
  const path = `/v1/tenants/brief/metrics/deliveries?${range}&measures=count`;
  assert.deepEqual((await get(path)).data[0]?.values, { count: 1 });
  await plane.call('DELETE', '/v1/tenants/brief');
  assert.equal((await plane.call('GET', path)).status, 404);
  await plane.call('PUT', '/v1/tenants/brief', {});
  assert.deepEqual((await get(path)).data[0]?.values, { count: 0 });
  const cells = metricCellsOf(plane.db);
  await waitUntil(async () => (await cells.countDocuments({ tenant: 'brief' })) === 0);
  const all = `/v1/metrics/deliveries?${range}&granularity=1m&dimensions=tenant_id`;
  await waitUntil(async () =>
    (await get(all)).data.every(({ group }) => !JSON.stringify(group).includes('brief')),
  );
});
