import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '#infra/telemetry/log.ts';
import { PublishWithDeadline } from '#src/control/config-sync/publish-with-deadline.ts';

const log = createLog('silent');

test('a change waits for its publication', async () => {
  const published: string[] = [];
  const run = (key: string) => ({
    done: Promise.resolve().then(() => void published.push(key)),
    isPaused: false,
  });
  await new PublishWithDeadline({ run, log }).publish('tenant.acme');
  assert.deepEqual(published, ['tenant.acme']);
});

test('a failing or slow publication does not delay a change', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const fails = new PublishWithDeadline({
    run: () => ({ done: Promise.reject(new Error('away')), isPaused: false }),
    log,
  });
  await fails.publish('tenant.acme');
  const hangs = new PublishWithDeadline({
    run: () => ({ done: new Promise(() => {}), isPaused: false }),
    log,
  });
  const published = hangs.publish('tenant.acme');
  t.mock.timers.tick(1000);
  await published;
});

test('a run that has to pause first is not awaited', async () => {
  const pausing = new PublishWithDeadline({
    run: () => ({ done: new Promise(() => {}), isPaused: true }),
    log,
  });
  await pausing.publish('tenant.acme');
});
