/**
 * Who owns which shard: leases in a KV bucket whose keys expire (design: docs/architecture.md,
 * "Placement"). Routers and delivery workers have separate leases; both are called workers
 * here.
 *
 * Each worker keeps its own key, and one for each shard that it owns; a `LeaseRenewer` writes
 * them every second. A shard's key is created only if there is none and renewed only at the
 * revision that this worker wrote, so two workers never both hold it; the revision is the fencing
 * token. A worker that dies stops writing: its keys expire after `LEASE_MS`, and the workers that
 * rendezvous hashing prefers acquire the shards at their next reconciliation.
 *
 * The renewer runs in its own thread, so that a busy event loop loses no shard. It renews only
 * while the event loop of this worker made progress within the last 10 s: a stuck worker loses its
 * shards.
 *
 * A worker may be stopped longer than its lease (SIGSTOP, a paused machine, a stuck event loop).
 * The monotonic clock shows this before it sends: `owns` is false from `LEASE_MS` minus a margin
 * after the last renewal began.
 *
 * States of a shard here: free -> acquiring -> owned -> releasing -> free; from acquiring, owned
 * and releasing -> expired, where the lease was not renewed in time or the key was removed.
 * Acquiring and releasing need an answer of NATS, which may take longer than a lease lasts. A lease
 * that expires during one is reported immediately, and the shard is acquired again only after that
 * step has ended.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import { type KV, type KvWatchEntry, KvWatchInclude } from '@nats-io/kv';
import type { Clock } from '#domain/clock.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import { type LeaseKind, leaseKeys } from '#wire/subjects.ts';
import { placementSteps } from './placement.ts';
import { LeaseEnd } from './lease-clock.ts';
import { type LeaseRenewer, leaseEndMs } from './lease-renewals.ts';
import { readLeases } from './read-leases.ts';

const RECONCILE_EVERY_MS = 1000;

export interface ShardLeasesDeps {
  kv: KV;
  /** Renews the leases that are acquired here. */
  renewer: LeaseRenewer;
  jsm: JetStreamManager;
  /** The kind of worker that owns the shards. */
  kind: LeaseKind;
  me: string;
  shards: number;
  log: Log;
  clock: Clock;
}

/** The work on the shards whose leases are held. */
export interface ShardWork {
  /** Starts the work on a shard. */
  onAcquired: (shard: number) => Promise<void>;
  /** Finishes the in-flight work of a shard; the lease is kept until then. */
  onRelease: (shard: number) => Promise<void>;
  /**
   * Drops the in-flight work of a shard: another worker may own it. Also called during
   * `onAcquired` or `onRelease`.
   */
  onExpired: (shard: number) => void;
}

export class ShardLeases {
  private readonly deps: ShardLeasesDeps;
  private readonly fault: RepeatingFault;
  private readonly keys: ReturnType<typeof leaseKeys>;
  private readonly leases = new Map<number, LeaseEnd>();
  private readonly releasing = new Map<number, Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private heart: NodeJS.Timeout | undefined;
  private reconciling: Promise<void> = Promise.resolve();
  private stopped = false;
  /** Set by `start`, before the first lease. */
  private work!: ShardWork;
  private stopWatch: () => void = () => {};

  constructor(deps: ShardLeasesDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'placement.look_failed', deps.clock.monotonicMs);
    this.keys = leaseKeys(deps.kind);
  }

  /** Whether this worker may work on a shard at this moment. */
  owns(shard: number): boolean {
    const end = this.leases.get(shard);
    return end !== undefined && this.deps.clock.monotonicMs() < end.ms;
  }

  get owned(): number {
    return this.leases.size;
  }

  /** Resolves after the first reconciliation, which acquires this worker's share of the shards. */
  async start(work: ShardWork): Promise<void> {
    this.work = work;
    const { kv, renewer, me } = this.deps;
    const key = this.keys.worker(me);
    // Without an answer, the other workers detect this worker a second later.
    await kv.put(key, me).catch((error: Error) => this.failed(error));
    renewer.keepAlive(key, me);
    // Apart from the reconciliation: acquiring and releasing may take longer than a lease lasts.
    this.heart = setInterval(() => this.dropExpired(), RECONCILE_EVERY_MS);
    this.reconciling = this.reconcile();
    await this.reconciling;
    if (this.stopped) return;
    this.schedule();
    void this.followReleases();
  }

  /** Acquires a released shard immediately; without a notice, the next reconciliation finds it. */
  private async followReleases(): Promise<void> {
    try {
      const releases = await this.deps.kv.watch({
        key: this.keys.shard('*'),
        include: KvWatchInclude.UpdatesOnly,
      });
      this.stopWatch = () => releases.stop();
      if (this.stopped) releases.stop();
      await this.handleReleases(releases);
    } catch (error) {
      this.failed(error as Error);
    }
    if (this.stopped) return;
    // No answer, or the client ended the watch.
    const timer = setTimeout(() => void this.followReleases(), RECONCILE_EVERY_MS);
    timer.unref();
  }

  private async handleReleases(releases: AsyncIterable<KvWatchEntry>): Promise<void> {
    for await (const entry of releases) {
      if (entry.operation === 'PUT' || this.stopped) continue;
      clearTimeout(this.timer);
      await this.reconciling;
      this.schedule(0);
    }
  }

  /**
   * Releases all shards, so that other workers acquire them immediately. Each is kept until its
   * in-flight work has ended.
   */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    this.stopWatch();
    await this.reconciling;
    // First leave the members, so that the others prefer themselves when the shards become free.
    const key = this.keys.worker(this.deps.me);
    await this.deps.renewer.release(key);
    await this.deps.kv.delete(key).catch(() => {});
    await Promise.all([...this.leases.keys()].map((shard) => this.release(shard)));
    clearInterval(this.heart);
  }

  private schedule(afterMs: number = RECONCILE_EVERY_MS): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.reconciling = this.reconcile().finally(() => this.schedule());
    }, afterMs);
  }

  private async reconcile(): Promise<void> {
    try {
      const { jsm, kind, me } = this.deps;
      const { workers, owners, revisions } = await readLeases(jsm, kind);
      // The revisions of the shards' keys that name this worker.
      const mine = new Map([...revisions].filter(([shard]) => owners.get(shard) === me));
      // Before acquiring: a worker that was paused must first drop its expired shards.
      this.dropExpired();
      // This worker's name without a held lease: written by a renewal or an acquisition whose
      // answer was late.
      for (const shard of mine.keys()) if (!this.holds(shard)) owners.delete(shard);
      const steps = placementSteps({ me, workers, owners, shards: this.deps.shards });
      for (const shard of steps.release) void this.release(shard);
      // A shard that is being released becomes free when that ends.
      const free = steps.acquire.filter((shard) => !this.releasing.has(shard));
      await Promise.all(free.map((shard) => this.acquire(shard, mine.get(shard))));
    } catch (error) {
      this.failed(error as Error);
    }
    this.dropExpired();
  }

  private failed(error: Error): void {
    this.fault.failed(error, { kind: this.deps.kind });
  }

  private holds(shard: number): boolean {
    return this.leases.has(shard) || this.releasing.has(shard);
  }

  /** @param written the revision at which the key already names this worker */
  private async acquire(shard: number, written: number | undefined): Promise<void> {
    const startedMs = this.deps.clock.monotonicMs();
    const { kv, me } = this.deps;
    const key = this.keys.shard(shard);
    let revision: number;
    try {
      revision = await (written === undefined ? kv.create(key, me) : kv.update(key, me, written));
    } catch {
      return; // another worker was first
    }
    // Held, but its key was missing: the key or the whole bucket was removed. Never work there
    // twice.
    if (this.leases.has(shard)) this.expire(shard);
    const end = new LeaseEnd();
    end.ms = leaseEndMs(startedMs);
    this.leases.set(shard, end);
    this.deps.renewer.hold(key, me, revision, end);
    try {
      await this.work.onAcquired(shard);
      if (this.leases.get(shard) !== end) return; // expired in between
      this.deps.log.info({ shard, kind: this.deps.kind }, 'placement.taken');
    } catch (error) {
      this.deps.log.error({ err: error, shard }, 'placement.take_failed');
      if (this.leases.get(shard) === end) await this.release(shard);
    }
  }

  private release(shard: number): Promise<void> {
    const known = this.releasing.get(shard);
    if (known !== undefined) return known;
    const done = this.finishAndRelease(shard).finally(() => this.releasing.delete(shard));
    this.releasing.set(shard, done);
    return done;
  }

  private async finishAndRelease(shard: number): Promise<void> {
    const end = this.leases.get(shard);
    await this.work.onRelease(shard);
    if (end === undefined || this.leases.get(shard) !== end) return; // expired in between
    this.leases.delete(shard);
    const key = this.keys.shard(shard);
    const previousSeq = await this.deps.renewer.release(key);
    // Only while it is still this worker's.
    if (previousSeq !== undefined) await this.deps.kv.delete(key, { previousSeq }).catch(() => {});
    this.deps.log.info({ shard, kind: this.deps.kind }, 'placement.given_up');
  }

  private dropExpired(): void {
    for (const shard of this.leases.keys()) {
      if (!this.owns(shard)) this.expire(shard);
    }
  }

  private expire(shard: number): void {
    this.leases.delete(shard);
    void this.deps.renewer.release(this.keys.shard(shard));
    this.deps.log.error({ shard, kind: this.deps.kind }, 'placement.lost');
    this.work.onExpired(shard);
  }
}
