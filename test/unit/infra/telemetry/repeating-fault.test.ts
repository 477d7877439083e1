import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';

function setUp() {
  const lines: [facts: object, name: string][] = [];
  const clock = { nowMs: 0 };
  const log = { warn: (facts: object, name: string) => void lines.push([facts, name]) };
  const fault = new RepeatingFault(log as never, 'placement.look_failed', () => clock.nowMs);
  return { lines, clock, fault };
}

test('a fault of each second is logged immediately, then once a minute with its repeats', () => {
  const { lines, clock, fault } = setUp();
  for (let second = 0; second <= 120; second++) {
    clock.nowMs = second * 1000;
    fault.failed(new Error(`timeout ${second}`), { kind: 'router' });
  }
  assert.deepEqual(lines, [
    [{ kind: 'router', error: 'timeout 0' }, 'placement.look_failed'],
    [{ kind: 'router', error: 'timeout 60', repeats: 59 }, 'placement.look_failed'],
    [{ kind: 'router', error: 'timeout 120', repeats: 59 }, 'placement.look_failed'],
  ]);
});

test('faults of different shards have their own lines', () => {
  const { lines, fault } = setUp();
  for (const shard of [0, 1, 0, 1]) fault.failed(new Error('no leader'), { shard });
  assert.deepEqual(
    lines.map(([facts]) => facts),
    [
      { shard: 0, error: 'no leader' },
      { shard: 1, error: 'no leader' },
    ],
  );
});
