import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '#config/load.ts';
import { isPosthornError } from '#domain/errors.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { exitCodeOf } from '#src/app/run/exit-code.ts';
import { migrate } from '#src/app/migrate.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { startNatsServer } from '#testkit/servers.ts';

test('migrate fails with exit code 69 when MongoDB is unreachable until the deadline', async (t) => {
  const nats = await startNatsServer();
  t.after(() => nats.dispose());
  const settings = loadSettings({
    POSTHORN_NATS_URL: nats.url,
    POSTHORN_MONGODB_URL: `mongodb://127.0.0.1:${await findFreePort()}/?directConnection=true`,
  });
  const log = createLog('silent');
  const error = await migrate(settings, { log, deadlineMs: 8000 }).catch((reason) => reason);
  assert.ok(isPosthornError(error) && error.code === 'POSTHORN_MONGODB_UNAVAILABLE', String(error));
  const lines: string[] = [];
  assert.equal(exitCodeOf(error, { log, report: (line) => lines.push(line) }), 69);
  assert.match(lines.join(), /POSTHORN_MONGODB_UNAVAILABLE: not done within 8 s/);
});
