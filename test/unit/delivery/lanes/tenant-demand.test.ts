import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TenantDemand } from '#src/delivery/lanes/tenant-demand.ts';

const RULES = { pressedPerSecond: 50, busyPerSecond: 500, busyPeriods: 3 };
const calm = { taken: 499, pressed: 49 };
const busy = { taken: 500, pressed: 0 };

test('a tenant gets a lane at once under pressure, after three busy periods otherwise, highest pressure first', () => {
  const demand = new TenantDemand(RULES);
  const pressed = { taken: 60, pressed: 50 };
  const evaluate = (loads: Record<string, { taken: number; pressed: number }>): string[] =>
    demand
      .evaluate(new Map(Object.entries(loads)), 1)
      .map(({ tenant, reason }) => `${tenant} ${reason}`);
  assert.deepEqual(evaluate({ calm, busy, pressed }), ['pressed pressure']);
  assert.deepEqual(evaluate({ calm, busy }), []);
  assert.deepEqual(evaluate({ calm, busy, pressed }), ['busy rate', 'pressed pressure']);
  // A period that is not busy resets the count.
  assert.deepEqual(evaluate({ calm }), []);
  assert.deepEqual(evaluate({ busy }), []);
});

test('rates are by the second when periods are shorter or longer', () => {
  const demand = new TenantDemand(RULES);
  const twice = new Map([
    ['calm', { taken: 998, pressed: 98 }],
    ['pressed', { taken: 120, pressed: 100 }],
  ]);
  assert.deepEqual(demand.evaluate(twice, 2), [
    { tenant: 'pressed', reason: 'pressure', pressure: 110 },
  ]);
  const half = new Map([['pressed', { taken: 30, pressed: 25 }]]);
  assert.equal(demand.evaluate(half, 0.5)[0]?.pressure, 110);
});
