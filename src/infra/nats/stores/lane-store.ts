import type { NatsConnection } from '@nats-io/nats-core';
import type { Log } from '#infra/telemetry/log.ts';
import type { LaneView } from '#wire/lane-view.ts';
import { buckets } from '#wire/subjects.ts';
import { BucketWatch } from './bucket-watch.ts';

/**
 * The tenants that have their own lane: a watch on the KV bucket LANES, whose keys are their
 * ids. It may lag by a moment, and by the length of an outage of NATS: messages published by an
 * outdated state are still found (docs/lanes.md). If the bucket is gone, no tenant has a lane.
 */
export class LaneStore implements LaneView {
  private readonly watch: BucketWatch;
  private tenants: Set<string> = new Set();
  private next: Set<string> = new Set();

  constructor(deps: { nc: NatsConnection; log: Log }) {
    this.watch = new BucketWatch({
      ...deps,
      bucket: buckets.lanes,
      failed: 'lanes.watch_failed',
      onBegin: () => {
        this.next = new Set();
      },
      onEntry: (entry) => {
        if (entry.operation === 'PUT') this.next.add(entry.key);
        else this.next.delete(entry.key);
      },
      onKnown: () => {
        this.tenants = this.next;
      },
    });
  }

  has(tenant: string): boolean {
    return this.tenants.has(tenant);
  }

  /** All of them, unordered. */
  all(): IterableIterator<string> {
    return this.tenants.values();
  }

  /** Announces the tenant's lane to routers. @throws if NATS does not answer */
  async announce(tenant: string): Promise<void> {
    await (await this.watch.open()).put(tenant, '');
    this.tenants.add(tenant);
  }

  /**
   * Withdraws the announcement, so that routers stop using the lane. @throws if NATS does not
   * answer
   */
  async withdraw(tenant: string): Promise<void> {
    await (await this.watch.open()).delete(tenant);
    this.tenants.delete(tenant);
  }

  /** Resolves when the current lanes are known; watches until `stop`. */
  start(): Promise<void> {
    return this.watch.start();
  }

  stop(): void {
    this.watch.stop();
  }
}
