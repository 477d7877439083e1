import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyUses } from '#infra/http/callers/key-uses.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { systemClock } from '#infra/system-clock.ts';
import { ManualClock } from '#testkit/test-clock.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { subjects } from '#wire/subjects.ts';
import { startControlPlane } from '../control-plane.ts';

test('a key shows when it was last used in any process, and an older or faulty report changes nothing', async (t) => {
  const plane = await startControlPlane(t);
  const { id } = (await plane.call('POST', '/v1/keys', { scope: 'platform' })).body;
  const shown = async () => (await plane.call('GET', `/v1/keys/${id}`)).body.last_used_at;
  assert.equal(await shown(), null);
  const wall = Math.floor(systemClock.wallMs()) - 3_600_000;
  const report = async (wallMs: number, caller = id) => {
    const clock = new ManualClock({ wall: wallMs, monotonic: 0 });
    const uses = new KeyUses({ nc: plane.nc, clock, log: createLog('silent') });
    uses.record(caller);
    await uses.stop();
  };
  await report(wall);
  await waitUntil(async () => (await shown()) !== null);
  assert.equal(await shown(), new Date(wall).toISOString());
  plane.nc.publish(subjects.keyUses, 'not a report');
  await report(wall - 60_000);
  await report(wall + 1, 'key_other');
  const uses = plane.db.collection<{ _id: string }>('api_key_uses');
  await waitUntil(() => uses.findOne({ _id: 'key_other' }));
  assert.equal(await shown(), new Date(wall).toISOString());
  const listed = (await plane.call('GET', '/v1/keys')).body.data;
  assert.equal(listed[0].last_used_at, new Date(wall).toISOString());
  // A clock that is ahead.
  await report(systemClock.wallMs() + 3_600_000);
  await waitUntil(async () => (await shown()) !== new Date(wall).toISOString());
  assert.ok(Date.parse(await shown()) <= systemClock.wallMs());
});
