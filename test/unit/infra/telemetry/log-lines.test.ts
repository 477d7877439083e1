import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { LogLines } from '#infra/telemetry/log-lines.ts';

const NUMBERS = { debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };

test('lines are counted by level, those before the registry and after a scrape too', async () => {
  const lines = new LogLines();
  lines.count(NUMBERS.warn);
  const registry = new Registry();
  lines.watch(registry);
  const counts = async () => {
    const { values } = (await registry.getSingleMetric('posthorn_log_lines_total')?.get()) ?? {
      values: [],
    };
    return Object.fromEntries(values.map(({ labels, value }) => [labels['level'], value]));
  };
  assert.deepEqual(await counts(), { debug: 0, info: 0, warn: 1, error: 0, fatal: 0 });
  lines.count(NUMBERS.warn);
  lines.count(NUMBERS.error);
  assert.deepEqual(await counts(), { debug: 0, info: 0, warn: 2, error: 1, fatal: 0 });
});
