import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '#infra/telemetry/log.ts';
import { PublishSoon } from '#src/control/publish-soon.ts';

const log = createLog('silent');

test('a change waits for its publication', async () => {
  const published: string[] = [];
  const sync = async (key: string): Promise<void> => {
    await Promise.resolve();
    published.push(key);
  };
  await new PublishSoon({ sync, log }).publish('tenant.acme');
  assert.deepEqual(published, ['tenant.acme']);
});

test('a publication that fails, or takes too long, holds no change up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const fails = new PublishSoon({ sync: () => Promise.reject(new Error('away')), log });
  await fails.publish('tenant.acme');
  const hangs = new PublishSoon({ sync: () => new Promise(() => {}), log });
  const published = hangs.publish('tenant.acme');
  t.mock.timers.tick(1000);
  await published;
});
