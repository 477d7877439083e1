import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '#config/load.ts';
import { fanOutDelayMs, parseFanOutDelays } from '#domain/event/fan-out-delay.ts';

const byDefault = loadSettings({}).router.fanOutDelays;

for (const [endpoints, delayMs] of [
  [0, 0],
  [1, 0],
  [10_000, 0],
  [10_001, 5000],
  [50_000, 5000],
  [50_001, 15_000],
  [100_000, 15_000],
  [100_001, 30_000],
] as const) {
  test(`by default an event to ${endpoints} endpoints waits ${delayMs} ms`, () => {
    assert.equal(fanOutDelayMs(byDefault, endpoints), delayMs);
  });
}

test('the steps may be in any order, and may be absent', () => {
  const steps = parseFanOutDelays('10:1,1000:3,100:2');
  assert.deepEqual(
    [10, 11, 101, 1001].map((endpoints) => fanOutDelayMs(steps, endpoints)),
    [0, 1000, 2000, 3000],
  );
  assert.equal(fanOutDelayMs(parseFanOutDelays(''), 1_000_000), 0);
});

for (const text of ['10', '10:', ':5', '10:5,', '10:-1', '10:1.5', 'a:b', '10:5;20:5']) {
  test(`rejects the setting "${text}"`, () => {
    assert.throws(
      () => loadSettings({ POSTHORN_FANOUT_DELAYS_SECONDS: text }),
      /POSTHORN_FANOUT_DELAYS_SECONDS/,
    );
  });
}
