import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '#infra/telemetry/log.ts';
import { AfterConfig } from '#src/app/run/after-config.ts';
import { waitUntil } from '#testkit/wait-until.ts';

function setUp(isComplete: boolean) {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  if (isComplete) resolve();
  const service = new AfterConfig({
    service: {
      name: 'delivery',
      start: async () => void seen.push('started'),
      stop: async () => void seen.push('stopped'),
    },
    config: { isComplete, whenComplete: promise },
    log: createLog('silent'),
  });
  return { service, seen, complete: resolve };
}

test('a service starts with the process when the configuration is loaded', async () => {
  const { service, seen } = setUp(true);
  await service.start();
  assert.deepEqual(seen, ['started']);
  await service.stop(1000);
  assert.deepEqual(seen, ['started', 'stopped']);
});

test('a service starts later than the process when the configuration loads late', async () => {
  const { service, seen, complete } = setUp(false);
  await service.start();
  assert.deepEqual(seen, []);
  complete();
  await waitUntil(() => seen.length === 1);
  await service.stop(1000);
  assert.deepEqual(seen, ['started', 'stopped']);
});

test('a service that is stopped while it waits for the configuration never starts', async () => {
  const { service, seen, complete } = setUp(false);
  await service.start();
  await service.stop(1000);
  complete();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, []);
});
