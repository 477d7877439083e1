import type { KV } from '@nats-io/kv';
import { LeaseRenewals } from '#infra/nats/leases/lease-renewals.ts';
import type { Log } from '#infra/telemetry/log.ts';

/** Renews leases in the thread of the test, through this bucket and by `performance.now()`. */
export function renewInProcess(kv: KV, log: Log): LeaseRenewals {
  return new LeaseRenewals({
    kv,
    now: () => performance.now(),
    isOwnerAlive: () => true,
    log,
  });
}
