import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TenantDemand } from '#src/delivery/lanes/tenant-demand.ts';

const RULES = { congestedPerSecond: 50, busyPerSecond: 500, busyPeriods: 3 };
const calm = { received: 499, congested: 49 };
const busy = { received: 500, congested: 0 };

test('a tenant gets a lane immediately under pressure, after three busy periods otherwise, highest pressure first', () => {
  const demand = new TenantDemand(RULES);
  const congested = { received: 60, congested: 50 };
  const evaluate = (loads: Record<string, { received: number; congested: number }>): string[] =>
    demand
      .evaluate(new Map(Object.entries(loads)), 1)
      .map(({ tenant, reason }) => `${tenant} ${reason}`);
  assert.deepEqual(evaluate({ calm, busy, congested }), ['congested pressure']);
  assert.deepEqual(evaluate({ calm, busy }), []);
  assert.deepEqual(evaluate({ calm, busy, congested }), ['busy rate', 'congested pressure']);
  // A period that is not busy resets the count.
  assert.deepEqual(evaluate({ calm }), []);
  assert.deepEqual(evaluate({ busy }), []);
});

test('rates are by the second when periods are shorter or longer', () => {
  const demand = new TenantDemand(RULES);
  const twice = new Map([
    ['calm', { received: 998, congested: 98 }],
    ['congested', { received: 120, congested: 100 }],
  ]);
  assert.deepEqual(demand.evaluate(twice, 2), [
    { tenant: 'congested', reason: 'pressure', pressure: 110 },
  ]);
  const half = new Map([['congested', { received: 30, congested: 25 }]]);
  assert.equal(demand.evaluate(half, 0.5)[0]?.pressure, 110);
});
