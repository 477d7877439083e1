import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChangedCells } from '#src/control/metrics/changed-cells.ts';
import { dueMs, isOpen, needsNoMark } from '#src/control/metrics/cell-times.ts';
import type { DeliveryRecord, HistoryRecord } from '#wire/frames/record.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function changed(...records: HistoryRecord[]): unknown[] {
  const cells = new ChangedCells();
  for (const record of records) cells.addRecord(record);
  return cells
    .all()
    .map(({ family, tenant, startMs, endpoints }) => [family, tenant, startMs, [...endpoints]]);
}

const base = { tenant: 'acme', event: 'e1', type: 'a.b', acceptedMs: 61_000 };
const delivery = (endpoint: string, startedMs?: number): DeliveryRecord => ({
  ...base,
  k: 'delivery',
  id: `dlv_${endpoint}`,
  endpoint,
  hop: 1,
  status: 'delivered',
  ...(startedMs !== undefined && {
    attempt: { id: 'att_1', no: 1, startedMs, durationMs: 1, status: 200, worker: 'w' },
  }),
});

test('a delivery changes the minute of its event, and its attempt the minute of its start', () => {
  assert.deepEqual(changed(delivery('ep_1', 185_000), delivery('ep_2')), [
    ['deliveries', 'acme', 60_000, ['ep_1', 'ep_2']],
    ['attempts', 'acme', 180_000, ['ep_1']],
  ]);
});

test('an event that is routed to nothing changes no deliveries', () => {
  const routed: HistoryRecord = { ...base, k: 'routed', deliveries: [] };
  assert.deepEqual(changed(routed), [['events', 'acme', 60_000, []]]);
  const cells = new ChangedCells();
  cells.addEvent('acme', 61_000);
  cells.addRecord(routed);
  assert.equal(cells.all().length, 1);
  assert.deepEqual(changed({ k: 'endpoint-gone', tenant: 'a', endpoint: 'ep_1', url: 'u' }), []);
});

test('a process leaves out marks only while the minute is certainly computed again', () => {
  for (let nowMs = 0; nowMs < 3 * MINUTE_MS; nowMs += 500) {
    const skews = [-29_000, 0, 29_000];
    if (!needsNoMark('1m', 0, nowMs)) continue;
    for (const skew of skews) assert.ok(isOpen('1m', 0, nowMs + skew), `${nowMs} ${skew}`);
  }
  assert.equal(needsNoMark('1h', 0, 1000), false);
  assert.equal(isOpen('1h', 0, 1000), false);
});

test('an old cell waits longer, for at most 15 minutes, and a wide one for its end', () => {
  assert.equal(dueMs('1m', 0, MINUTE_MS), MINUTE_MS + 5000);
  assert.equal(dueMs('1m', 0, HOUR_MS), HOUR_MS + 3 * MINUTE_MS);
  assert.equal(dueMs('1m', 0, 24 * HOUR_MS), 24 * HOUR_MS + 15 * MINUTE_MS);
  assert.equal(dueMs('1h', 0, MINUTE_MS), HOUR_MS + 90_000);
});
