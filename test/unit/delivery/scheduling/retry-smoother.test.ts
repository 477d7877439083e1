import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetrySmoother } from '#src/delivery/scheduling/retry-smoother.ts';

const NOW = 1_800_000_000_000;

test('a single retry keeps its time', () => {
  const smoother = new RetrySmoother(() => NOW);
  assert.equal(smoother.take('acme', NOW + 1234), NOW + 1234);
  assert.equal(smoother.take('globex', NOW + 1234), NOW + 1234);
});

test('simultaneous retries move to later times, never to earlier ones, and no further than needed', () => {
  const smoother = new RetrySmoother(() => NOW);
  const due = NOW + 60_000;
  const bySlot = new Map<number, number>();
  for (let n = 0; n < 20_000; n++) {
    const at = smoother.take(`tenant-${n % 10}`, due);
    assert.ok(at >= due);
    const slot = Math.floor(at / 100);
    bySlot.set(slot, (bySlot.get(slot) ?? 0) + 1);
  }
  const most = Math.max(...bySlot.values());
  // 80 shared places, and 4 reserved ones for each of ten tenants.
  assert.ok(most <= 80 + 4 * 10, `${most} in one slot`);
  const lastSlot = Math.max(...bySlot.keys()) - Math.floor(due / 100);
  assert.ok(lastSlot <= 250, `spread over ${lastSlot} slots`);
});

test('a tenant with few retries keeps their times while another has very many', () => {
  const smoother = new RetrySmoother(() => NOW);
  const due = NOW + 5000;
  for (let n = 0; n < 50_000; n++) smoother.take('acme', due + (n % 1000));
  for (let n = 0; n < 40; n++) {
    const at = smoother.take('globex', due);
    assert.ok(at >= due && at <= due + 2000, `delayed by ${at - due} ms`);
  }
});

test('retries beyond ten minutes of full slots get the last slot', () => {
  const smoother = new RetrySmoother(() => NOW);
  let at = 0;
  for (let n = 0; n < 700_000; n++) at = smoother.take('acme', NOW);
  assert.ok(at > NOW + 580_000 && at < NOW + 600_000);
});

test('a retry more than ten minutes ahead keeps its time', () => {
  const smoother = new RetrySmoother(() => NOW);
  for (let n = 0; n < 5000; n++) {
    assert.equal(smoother.take('acme', NOW + 3_600_000), NOW + 3_600_000);
  }
});

test('a slot is free again when its time has passed', () => {
  let now = NOW;
  const smoother = new RetrySmoother(() => now);
  for (let n = 0; n < 10_000; n++) smoother.take('acme', NOW);
  // These times map to the same slots of the ring.
  now = NOW + 600_000;
  assert.equal(smoother.take('acme', now), now);
});
