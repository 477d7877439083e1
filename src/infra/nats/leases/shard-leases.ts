/**
 * Who owns which shard: leases in a KV bucket whose keys expire (design: docs/architecture.md, "Placement").
 * Routers and delivery workers have leases of their own kind; both are called workers here.
 *
 * Each worker keeps a key of its own, and one for each shard that it owns; a `LeaseRenewer` writes them every
 * second. A shard's key is created only where there is none and renewed only at the revision that this worker
 * wrote, so two workers never both hold it; the revision is the fencing token. A worker that dies stops writing:
 * its keys go after `LEASE_MS`, and whoever rendezvous hashing prefers takes them at its next look.
 *
 * The renewer runs in a thread of its own, so that a busy event loop loses no shard. It renews only while the
 * event loop of this worker turned within the last 10 s: a worker that is stuck loses its shards.
 *
 * A worker that was stopped longer than its lease (SIGSTOP, a paused machine, a stuck event loop) knows by the
 * monotonic clock before it sends: `owns` is false from `LEASE_MS` minus a margin after the last renewal began.
 *
 * States of a shard here: free -> taking -> owned -> giving up -> free; from taking, owned and giving up -> lost, where
 * the lease was not renewed in time or the key was removed. Taking and giving up ask NATS, which may take longer than a lease lasts:
 * what is lost meanwhile is told at once, and is taken anew only when that has ended.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import { type KV, type KvWatchEntry, KvWatchInclude } from '@nats-io/kv';
import type { Log } from '#infra/telemetry/log.ts';
import { type LeaseKind, leaseKeys } from '#wire/subjects.ts';
import { placementSteps } from './placement.ts';
import { LeaseEnd } from './lease-clock.ts';
import { type LeaseRenewer, leaseEndMs } from './lease-renewals.ts';
import { readLeases } from './read-leases.ts';

const LOOK_EVERY_MS = 1000;

export interface ShardLeasesDeps {
  kv: KV;
  /** Renews the leases that are acquired here. */
  renewer: LeaseRenewer;
  jsm: JetStreamManager;
  /** Of what the shards are owned. */
  kind: LeaseKind;
  me: string;
  shards: number;
  /** Start to work on a shard. */
  onTaken: (shard: number) => Promise<void>;
  /** Finish what is in flight there; the lease is kept meanwhile. */
  onGiveUp: (shard: number) => Promise<void>;
  /** Drop what is in hand: somebody else may own it. Also while `onTaken` or `onGiveUp` is under way. */
  onLost: (shard: number) => void;
  log: Log;
}

export class ShardLeases {
  private readonly deps: ShardLeasesDeps;
  private readonly keys: ReturnType<typeof leaseKeys>;
  private readonly leases = new Map<number, LeaseEnd>();
  private readonly givingUp = new Map<number, Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private heart: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private stopped = false;
  private stopWatch: () => void = () => {};

  constructor(deps: ShardLeasesDeps) {
    this.deps = deps;
    this.keys = leaseKeys(deps.kind);
  }

  /** Whether this worker may work on a shard at this moment. */
  owns(shard: number): boolean {
    const end = this.leases.get(shard);
    return end !== undefined && performance.now() < end.ms;
  }

  get owned(): number {
    return this.leases.size;
  }

  /** Resolves after the first look; takes its share then and from then on. */
  async start(): Promise<void> {
    const { kv, renewer, me } = this.deps;
    const key = this.keys.worker(me);
    // Without an answer the others see this worker a second later.
    await kv.put(key, me).catch((error: Error) => this.failed(error));
    renewer.keepAlive(key, me);
    // Apart from the looks: what a look takes, and what is given up, may need longer than a lease lasts.
    this.heart = setInterval(() => this.dropExpired(), LOOK_EVERY_MS);
    this.looking = this.look();
    await this.looking;
    if (this.stopped) return;
    this.schedule();
    void this.followReleases();
  }

  /** A shard that is given back is taken at once; where that is not told, the next look finds it. */
  private async followReleases(): Promise<void> {
    try {
      const releases = await this.deps.kv.watch({
        key: this.keys.shard('*'),
        include: KvWatchInclude.UpdatesOnly,
      });
      this.stopWatch = () => releases.stop();
      if (this.stopped) releases.stop();
      await this.lookAtReleases(releases);
    } catch (error) {
      this.failed(error as Error);
    }
    if (this.stopped) return;
    // Not answered, or ended by the client.
    const timer = setTimeout(() => void this.followReleases(), LOOK_EVERY_MS);
    timer.unref();
  }

  private async lookAtReleases(releases: AsyncIterable<KvWatchEntry>): Promise<void> {
    for await (const entry of releases) {
      if (entry.operation === 'PUT' || this.stopped) continue;
      clearTimeout(this.timer);
      await this.looking;
      this.schedule(0);
    }
  }

  /** Gives all shards back, so that others take them at once; each is kept until what is in flight there has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    this.stopWatch();
    await this.looking;
    // First out of the members, so that the others prefer themselves when the shards become free.
    const key = this.keys.worker(this.deps.me);
    await this.deps.renewer.release(key);
    await this.deps.kv.delete(key).catch(() => {});
    await Promise.all([...this.leases.keys()].map((shard) => this.giveUp(shard)));
    clearInterval(this.heart);
  }

  private schedule(afterMs: number = LOOK_EVERY_MS): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.looking = this.look().finally(() => this.schedule());
    }, afterMs);
  }

  private async look(): Promise<void> {
    try {
      const { jsm, kind, me } = this.deps;
      const { workers, owners, revisions } = await readLeases(jsm, kind);
      // The revisions of the shards' keys that name this worker.
      const mine = new Map([...revisions].filter(([shard]) => owners.get(shard) === me));
      // Before anything is taken anew: who was paused must let go of what it had first.
      this.dropExpired();
      // Its own and not held: written by a renewal or a taking whose answer did not come in time.
      for (const shard of mine.keys()) if (!this.holds(shard)) owners.delete(shard);
      const steps = placementSteps({ me, workers, owners, shards: this.deps.shards });
      for (const shard of steps.giveUp) void this.giveUp(shard);
      // What is being given up is free once it is finished.
      const take = steps.take.filter((shard) => !this.givingUp.has(shard));
      await Promise.all(take.map((shard) => this.take(shard, mine.get(shard))));
    } catch (error) {
      this.failed(error as Error);
    }
    this.dropExpired();
  }

  private failed(error: Error): void {
    this.deps.log.warn({ kind: this.deps.kind, error: error.message }, 'placement.look_failed');
  }

  private holds(shard: number): boolean {
    return this.leases.has(shard) || this.givingUp.has(shard);
  }

  /** @param written the revision at which this worker's name stands there already */
  private async take(shard: number, written: number | undefined): Promise<void> {
    const startedMs = performance.now();
    const { kv, me } = this.deps;
    const key = this.keys.shard(shard);
    let revision: number;
    try {
      revision = await (written === undefined ? kv.create(key, me) : kv.update(key, me, written));
    } catch {
      return; // another worker was first
    }
    // Held, and its key was not there: somebody removed it, or the whole bucket. Not to work there twice.
    if (this.leases.has(shard)) this.lose(shard);
    const end = new LeaseEnd();
    end.ms = leaseEndMs(startedMs);
    this.leases.set(shard, end);
    this.deps.renewer.hold(key, me, revision, end);
    try {
      await this.deps.onTaken(shard);
      if (this.leases.get(shard) !== end) return; // lost meanwhile
      this.deps.log.info({ shard, kind: this.deps.kind }, 'placement.taken');
    } catch (error) {
      this.deps.log.error({ err: error, shard }, 'placement.take_failed');
      if (this.leases.get(shard) === end) await this.giveUp(shard);
    }
  }

  private giveUp(shard: number): Promise<void> {
    const known = this.givingUp.get(shard);
    if (known !== undefined) return known;
    const done = this.finishAndRelease(shard).finally(() => this.givingUp.delete(shard));
    this.givingUp.set(shard, done);
    return done;
  }

  private async finishAndRelease(shard: number): Promise<void> {
    const end = this.leases.get(shard);
    await this.deps.onGiveUp(shard);
    if (end === undefined || this.leases.get(shard) !== end) return; // lost meanwhile
    this.leases.delete(shard);
    const key = this.keys.shard(shard);
    const previousSeq = await this.deps.renewer.release(key);
    // Only while it is still ours.
    if (previousSeq !== undefined) await this.deps.kv.delete(key, { previousSeq }).catch(() => {});
    this.deps.log.info({ shard, kind: this.deps.kind }, 'placement.given_up');
  }

  private dropExpired(): void {
    for (const shard of this.leases.keys()) {
      if (!this.owns(shard)) this.lose(shard);
    }
  }

  private lose(shard: number): void {
    this.leases.delete(shard);
    void this.deps.renewer.release(this.keys.shard(shard));
    this.deps.log.error({ shard, kind: this.deps.kind }, 'placement.lost');
    this.deps.onLost(shard);
  }
}
