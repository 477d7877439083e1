import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lagMs, type Member } from '#infra/mongo/client-metrics.ts';

const member = (kind: Member['kind'], lastWriteMs: number | undefined, seenMs: number): Member => ({
  kind,
  lastWriteMs,
  seenMs,
});

test('the lag counts the slowest secondary, without the time between two heartbeats', () => {
  const primary = member('primary', 100_000, 1000);
  const current = member('secondary', 109_000, 10_000);
  const slow = member('secondary', 70_000, 6000);
  assert.equal(lagMs([primary, current, slow]), 35_000);
  assert.equal(lagMs([primary, current]), 0);
});

test('the lag is unknown without a primary, without a secondary, and without a last write', () => {
  const primary = member('primary', 100_000, 1000);
  assert.equal(lagMs([]), undefined);
  assert.equal(lagMs([primary, member('other', 1, 1)]), undefined);
  assert.equal(lagMs([member('secondary', 1, 1)]), undefined);
  assert.equal(lagMs([primary, member('secondary', undefined, 1000)]), undefined);
});
