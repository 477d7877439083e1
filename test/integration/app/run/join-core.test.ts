import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KV, Kvm } from '@nats-io/kv';
import { systemClock } from '#infra/system-clock.ts';
import { joinCore, leaveCore } from '#src/app/run/join-core.ts';
import { buckets } from '#wire/subjects.ts';
import { startNatsCore } from '../../nats-core.ts';

test('a process starts when the first request for a bucket times out', async (t) => {
  const { connect, settings, log } = await startNatsCore(t);
  const real = Reflect.get(Kvm.prototype, 'open');
  const unanswered = new Set<string>([buckets.leases, buckets.ordered]);
  t.mock.method(Kvm.prototype, 'open', function (this: Kvm, name: string): Promise<KV> {
    return unanswered.delete(name) ? Promise.reject(new Error('timeout')) : real.call(this, name);
  });
  const core = await joinCore(await connect(), settings, systemClock, log);
  t.after(() => leaveCore(core));
  assert.equal(unanswered.size, 0);
  await core.leases.put('a.key', 'a');
  assert.equal((await core.ordered.status()).bucket, buckets.ordered);
});
