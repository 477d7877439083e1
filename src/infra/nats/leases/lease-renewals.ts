/**
 * Renews the keys of a process in the bucket LEASES every second: those of its shards, and the ones
 * that show that it lives. It runs in its own thread (`lease-worker.ts`), so that a busy event loop
 * loses no shard. It renews only while the owner's event loop makes progress, so that a stuck owner
 * loses its shards.
 *
 * A renewal is written only at the revision that the owner wrote. It extends the lease only if the
 * lease had not ended when the answer came: an owner that saw the end has dropped its work. A lost
 * answer is recovered by reading the key. If this thread dies, the leases end by the clock.
 */
import type { KV } from '@nats-io/kv';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import { LEASE_MS } from '../streams/streams.ts';
import type { LeaseEnd } from './lease-clock.ts';

export const RENEW_EVERY_MS = 1000;
/** The owner stops this long before its lease ends by the server's clock. */
const MARGIN_MS = 500;

/** Returns the end of a lease that was written at this time of the owner's clock. */
export function leaseEndMs(writtenMs: number): number {
  return writtenMs + LEASE_MS - MARGIN_MS;
}

/** Keeps keys of the bucket LEASES alive. */
export interface LeaseRenewer {
  /** Writes the key of a worker, replacing any value. */
  keepAlive(key: string, value: string): void;
  /** Renews the key of a shard from this revision on, and moves its end. */
  hold(key: string, value: string, revision: number, end: LeaseEnd): void;
  /** Stops renewing; resolves with the last known revision after the renewal in flight. */
  release(key: string): Promise<number | undefined>;
}

interface Renewed {
  key: string;
  value: string;
  /** Absent: the key of a worker. */
  lease: { revision: number; end: LeaseEnd } | undefined;
  /** In flight. */
  renewal: Promise<void> | undefined;
}

export interface LeaseRenewalsDeps {
  kv: Pick<KV, 'put' | 'update' | 'get'>;
  /** Milliseconds of the owner's monotonic clock. */
  now: () => number;
  /** Whether the owner's event loop made progress recently. */
  isOwnerAlive: () => boolean;
  log: Pick<Log, 'warn'>;
}

export class LeaseRenewals implements LeaseRenewer {
  private readonly deps: LeaseRenewalsDeps;
  private readonly fault: RepeatingFault;
  private readonly keys = new Map<string, Renewed>();
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: LeaseRenewalsDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'placement.not_renewed', deps.now);
  }

  keepAlive(key: string, value: string): void {
    this.add({ key, value, lease: undefined, renewal: undefined });
  }

  hold(key: string, value: string, revision: number, end: LeaseEnd): void {
    this.add({ key, value, lease: { revision, end }, renewal: undefined });
  }

  async release(key: string): Promise<number | undefined> {
    const renewed = this.keys.get(key);
    this.keys.delete(key);
    if (this.keys.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    await renewed?.renewal;
    return renewed?.lease?.revision;
  }

  private add(renewed: Renewed): void {
    this.keys.set(renewed.key, renewed);
    this.timer ??= setInterval(() => this.beat(), RENEW_EVERY_MS);
  }

  private beat(): void {
    if (!this.deps.isOwnerAlive()) return;
    for (const renewed of this.keys.values()) {
      renewed.renewal ??= this.renew(renewed).finally(() => {
        renewed.renewal = undefined;
      });
    }
  }

  private async renew(renewed: Renewed): Promise<void> {
    const { kv } = this.deps;
    const { key, value, lease } = renewed;
    try {
      if (lease === undefined) await kv.put(key, value);
      else await this.renewLease(key, value, lease);
    } catch (error) {
      this.notRenewed(key, error as Error);
    }
  }

  private async renewLease(
    key: string,
    value: string,
    lease: { revision: number; end: LeaseEnd },
  ): Promise<void> {
    const { kv, now } = this.deps;
    // The owner has seen the end of the lease, or is about to.
    if (now() >= lease.end.ms) return;
    let startedMs = now();
    try {
      lease.revision = await kv.update(key, value, lease.revision);
    } catch (error) {
      this.notRenewed(key, error as Error);
      // A renewal may have been written although its answer was lost: the next one starts there.
      const entry = await kv.get(key);
      if (entry?.string() !== value || entry.revision <= lease.revision) return;
      startedMs = now();
      lease.revision = await kv.update(key, value, entry.revision);
    }
    if (now() < lease.end.ms) lease.end.ms = leaseEndMs(startedMs);
  }

  private notRenewed(key: string, error: Error): void {
    this.fault.failed(error, { key });
  }
}
