/**
 * Leases on documents that describe work. A process claims a document, works on it, and writes its
 * progress on the condition that it still holds the lease. A lease expires by MongoDB's clock, so a
 * dead process is replaced and clocks of processes do not matter.
 *
 * A holder that was paused for longer than its lease finds in its next write that another process
 * holds the document. It must not act between its last confirmed write and `isExpired` returning
 * true, which it checks by the monotonic clock.
 */
import { randomUUID } from 'node:crypto';
import type { Collection, Filter } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import type { WorkLease } from './replay-store.ts';

const LEASE_MS = 15_000;
const NEVER = new Date(0);

interface Work extends WorkLease {
  _id: string;
}

export interface WorkLeasesDeps<T extends Work> {
  collection: Collection<T>;
  /** Documents that have work. */
  open: Filter<T>;
  clock: Clock;
  /** For tests. */
  leaseMs?: number;
}

/** Another process holds the document, or it was removed. */
export class LeaseLost extends Error {
  constructor(id: string) {
    super(`the lease on ${id} was lost`);
    this.name = 'LeaseLost';
  }
}

/** Fields that a write computes. */
export interface WriteMore {
  /** By field: added to its number. */
  inc?: Record<string, number>;
  /** A field that gets the time of MongoDB. */
  stamp?: string;
}

/** A claimed document. */
export interface Claimed<T> {
  document: T;
  lease: HeldLease<T>;
}

export interface HeldLease<T> {
  /** True if another process may hold it by now. */
  isExpired(): boolean;
  /**
   * Writes on the condition that this process holds the lease, and prolongs it. Returns the
   * document as it is then: a request may have ended its work.
   *
   * @throws LeaseLost
   */
  write(set: Partial<T>, more?: WriteMore): Promise<T>;
  /** Prolongs it until the returned function is called. */
  keepAlive(): () => void;
  /** Lets other processes claim the document; nothing happens if the lease was lost. */
  release(): Promise<void>;
}

export class WorkLeases<T extends Work> {
  private readonly deps: WorkLeasesDeps<T>;
  private readonly leaseMs: number;

  constructor(deps: WorkLeasesDeps<T>) {
    this.deps = deps;
    this.leaseMs = deps.leaseMs ?? LEASE_MS;
  }

  /** Claims the document that has waited longest; undefined if none has work. */
  async claim(): Promise<Claimed<T> | undefined> {
    const { collection, open, clock } = this.deps;
    const holder = randomUUID();
    const atMs = clock.monotonicMs();
    const isFree = { $expr: { $lt: [{ $ifNull: ['$lease_until', NEVER] }, '$$NOW'] } };
    const document = await collection.findOneAndUpdate(
      { $and: [open, isFree] } as Filter<T>,
      [{ $set: { lease_holder: holder, lease_until: this.until(), served_at: '$$NOW' } }],
      { sort: { served_at: 1 }, returnDocument: 'after' },
    );
    if (document === null) return undefined;
    return { document: document as T, lease: this.hold(document._id, holder, atMs) };
  }

  private hold(id: string, holder: string, claimedMs: number): HeldLease<T> {
    const { collection, clock } = this.deps;
    const { leaseMs } = this;
    const held = { _id: id, lease_holder: holder } as Filter<T>;
    let untilMs = claimedMs + leaseMs;
    return {
      isExpired: () => clock.monotonicMs() > untilMs - leaseMs / 5,
      write: async (set, { inc = {}, stamp } = {}) => {
        const atMs = clock.monotonicMs();
        const added = Object.entries(inc).map(([field, by]) => [
          field,
          { $add: [{ $ifNull: [`$${field}`, 0] }, by] },
        ]);
        const literal = Object.entries(set).map(([field, value]) => [field, { $literal: value }]);
        const stamped = stamp === undefined ? [] : [[stamp, '$$NOW']];
        const fields = Object.fromEntries([...added, ...literal, ...stamped]) as object;
        const update = [{ $set: { ...fields, lease_until: this.until() } }];
        const options = { returnDocument: 'after' } as const;
        const document = await collection.findOneAndUpdate(held, update, options);
        if (document === null) throw new LeaseLost(id);
        untilMs = atMs + leaseMs;
        return document as T;
      },
      keepAlive: () => {
        const renew = async (): Promise<void> => {
          const atMs = clock.monotonicMs();
          const update = [{ $set: { lease_until: this.until() } }];
          const { matchedCount } = await collection.updateOne(held, update);
          if (matchedCount === 1) untilMs = Math.max(untilMs, atMs + leaseMs);
        };
        // A failure is found out by the next renewal, or the next write.
        const timer = setInterval(() => void renew().catch(() => undefined), leaseMs / 4);
        return () => clearInterval(timer);
      },
      release: async () => {
        await collection.updateOne(held, {
          $unset: { lease_holder: '', lease_until: '' },
        } as never);
      },
    };
  }

  private until(): object {
    return { $add: ['$$NOW', this.leaseMs] };
  }
}
