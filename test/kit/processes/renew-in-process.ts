import type { KV } from '@nats-io/kv';
import type { Clock } from '#domain/clock.ts';
import { LeaseRenewals } from '#infra/nats/leases/lease-renewals.ts';
import type { Log } from '#infra/telemetry/log.ts';

/** Renews leases in the thread of the test, with this bucket and clock. */
export function renewInProcess(kv: KV, clock: Clock, log: Log): LeaseRenewals {
  return new LeaseRenewals({
    kv,
    now: clock.monotonicMs,
    isOwnerAlive: () => true,
    log,
  });
}
