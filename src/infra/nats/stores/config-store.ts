/**
 * The configuration as known to this process: a watch on the KV bucket CONFIG, kept in memory.
 *
 * Readers compile from a snapshot object and cache the result by that object's identity. A change
 * creates a new object, so no notification is needed. While NATS or MongoDB is down the last state
 * stays in force (RT-8). Limits: memory in proportion to the configuration, nothing for each event.
 */
import type { KV, KvEntry, KvWatchEntry } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import { lifeIdOf, lifeOf, tenantIdOf } from '#domain/tenant.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type {
  ApiKeySnapshot,
  ConfigView,
  EventTypeSnapshot,
  Revocations,
  RevocationSnapshot,
  TenantSnapshot,
} from '#wire/config-snapshot.ts';
import { asBuffer } from '#wire/frames/event-frame.ts';
import { buckets, configKeys, parseConfigKey } from '#wire/subjects.ts';
import { BucketWatch } from './bucket-watch.ts';

const MISS_KEPT_MS = 1000;
const MISSES_MAX = 10_000;
const CATCH_UP_MS_MAX = 5000;
const CATCH_UP_LOOK_MS = 20;

export class ConfigStore implements ConfigView, Revocations {
  private readonly tenants = new Map<string, TenantSnapshot>();
  private readonly types = new Map<string, EventTypeSnapshot>();
  private readonly keys = new Map<string, ApiKeySnapshot>();
  private readonly keysById = new Map<string, ApiKeySnapshot>();
  private readonly revocations = new Map<string, number>();
  /** Large configurations that are being built, by tenant. */
  private readonly building = new Map<string, { revision: number; done: Promise<void> }>();
  private readonly turns = new JsonTurns();
  /** By tenant, deleted ones too: the known revision in the bucket. */
  private readonly revisions = new Map<string, number>();
  private readonly misses = new Map<string, number>();
  /** By tenant: when the bucket was last read, and the result. */
  private readonly lookUps = new Map<string, { atMs: number; answered: Promise<void> }>();
  private readonly recreatedListeners: (() => void)[] = [];
  private readonly complete = Promise.withResolvers<void>();
  private hasAll = false;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly watch: BucketWatch;
  private kv: KV | undefined;
  /** Revision of the newest entry from the watch. */
  private seenRevision = 0;

  constructor(deps: { nc: NatsConnection; clock: Clock; log: Log }) {
    this.clock = deps.clock;
    this.log = deps.log;
    this.watch = new BucketWatch({
      ...deps,
      bucket: buckets.config,
      failed: 'config.watch_failed',
      // The known state stays in force, even if the bucket was created again: control writes it
      // again (RT-8).
      onBegin: (kv, isRecreated) => {
        this.kv = kv;
        this.seenRevision = 0;
        // Revisions of two buckets cannot be compared.
        if (isRecreated) this.revisions.clear();
        if (isRecreated) for (const listener of this.recreatedListeners) listener();
      },
      onEntry: (entry) => this.take(entry),
      onKnown: () => {},
    });
  }

  /** Whether `whenComplete` has resolved. */
  get isComplete(): boolean {
    return this.hasAll;
  }

  /**
   * Resolves once control has filled the bucket. Before that, an unknown tenant may still arrive: a
   * router or delivery worker would take it for deleted.
   */
  get whenComplete(): Promise<void> {
    return this.complete.promise;
  }

  tenant(lifeId: string): TenantSnapshot | undefined {
    const snapshot = this.tenants.get(tenantIdOf(lifeId));
    return (snapshot?.life ?? 0) === lifeOf(lifeId) ? snapshot : undefined;
  }

  currentTenant(id: string): TenantSnapshot | undefined {
    return this.tenants.get(id);
  }

  eventType(name: string): EventTypeSnapshot | undefined {
    return this.types.get(name);
  }

  apiKey(hash: string): ApiKeySnapshot | undefined {
    return this.keys.get(hash);
  }

  revocation(name: string): number {
    return this.revocations.get(name) ?? 0;
  }

  apiKeyById(id: string): ApiKeySnapshot | undefined {
    return this.keysById.get(id);
  }

  /** The life ids of all tenants. */
  *lifeIds(): Iterable<string> {
    for (const snapshot of this.tenants.values()) yield lifeIdOf(snapshot);
  }

  /**
   * Resolves when the current entries of the bucket are known here.
   *
   * @throws if NATS does not answer, or the watch does not catch up within 5 s
   */
  async catchUp(): Promise<void> {
    if (this.kv === undefined) return;
    const { last_seq: wanted } = (await this.kv.status()).streamInfo.state;
    const deadlineMs = this.clock.monotonicMs() + CATCH_UP_MS_MAX;
    while (this.seenRevision < wanted) {
      if (this.clock.monotonicMs() >= deadlineMs) throw new Error('the watch on CONFIG is behind');
      await new Promise((next) => setTimeout(next, CATCH_UP_LOOK_MS));
    }
  }

  /**
   * Called when the bucket was created again: its entries are lost and have to be written again.
   */
  onBucketRecreated(listener: () => void): void {
    this.recreatedListeners.push(listener);
  }

  /** Resolves when the current state of the bucket is known; watches until `stop`. */
  async start(): Promise<void> {
    await this.watch.start();
  }

  stop(): void {
    this.watch.stop();
  }

  /**
   * Finds a tenant. If it is unknown here, reads the bucket itself, so that a producer may publish
   * right after the call that created the tenant. Misses are cached for a second, so that unknown
   * names stay cheap.
   */
  async lookUpTenant(id: string): Promise<TenantSnapshot | undefined> {
    const now = this.clock.monotonicMs();
    const known = this.tenants.get(id);
    if (known !== undefined || this.kv === undefined) return known;
    if ((this.misses.get(id) ?? 0) > now) return undefined;
    const entry = await this.kv.get(configKeys.tenant(id));
    if (entry?.operation === 'PUT') await this.applyEntry(entry);
    else {
      if (this.misses.size >= MISSES_MAX) this.misses.clear();
      this.misses.set(id, now + MISS_KEPT_MS);
    }
    return this.tenants.get(id);
  }

  /**
   * Reads a tenant, known or not, from the bucket, unless it was read after `sinceMs`. For callers
   * with a reason to doubt the state of the watch. The leader answers, so every earlier write is
   * known afterwards.
   *
   * @param tenant its id, or that of one of its lives
   * @param sinceMs monotonic; absent: a second ago
   * @throws if NATS does not answer
   */
  async refreshTenant(
    tenant: string,
    sinceMs = this.clock.monotonicMs() - MISS_KEPT_MS,
  ): Promise<void> {
    const id = tenantIdOf(tenant);
    const last = this.lookUps.get(id);
    if (last !== undefined && last.atMs > sinceMs) return last.answered;
    if (this.kv === undefined) return;
    if (this.lookUps.size >= MISSES_MAX) this.lookUps.clear();
    const answered = this.ask(this.kv, id);
    this.lookUps.set(id, { atMs: this.clock.monotonicMs(), answered });
    try {
      await answered;
    } catch (error) {
      this.lookUps.delete(id);
      throw error;
    }
  }

  private async ask(kv: KV, id: string): Promise<void> {
    const entry = await kv.get(configKeys.tenant(id));
    if (entry !== null) await this.applyEntry(entry);
  }

  private take(entry: KvWatchEntry): Promise<void> | undefined {
    const seen = (): void => {
      this.seenRevision = entry.revision;
    };
    const applied = this.applyEntry(entry);
    if (applied !== undefined) return applied.then(seen);
    seen();
    return undefined;
  }

  /**
   * A look-up may run ahead of the watch, and be overtaken by it. An entry older than the known one
   * must neither restore a deleted tenant nor delete one that was created again.
   */
  private applyEntry(entry: KvEntry): Promise<void> | undefined {
    const { key, revision, operation } = entry;
    if (key.startsWith('tenant.')) {
      const id = key.slice('tenant.'.length);
      if (revision <= (this.revisions.get(id) ?? 0)) return this.building.get(id)?.done;
      this.keepRevision(id, revision);
      this.building.delete(id);
      if (operation === 'PUT' && entry.length > limits.jsonAtOnceBytesMax) {
        const done = this.applyInTurns(id, entry);
        this.building.set(id, { revision, done });
        return done;
      }
    }
    if (operation === 'PUT') this.apply(key, entry.string());
    else this.remove(key);
    return undefined;
  }

  /**
   * Applies a large configuration, which its tenant may have made costly to parse: 7 MiB of
   * filters with ever new names take 10 times as long as ordinary ones.
   */
  private async applyInTurns(id: string, { key, revision, value }: KvEntry): Promise<void> {
    try {
      const snapshot = (await this.turns.build(id, asBuffer(value))) as TenantSnapshot;
      // Otherwise a newer entry has arrived.
      if (this.building.get(id)?.revision !== revision) return;
      this.building.delete(id);
      this.applyTenant(id, snapshot);
    } catch (error) {
      this.log.error({ key, error: (error as Error).message }, 'config.entry_unreadable');
    }
  }

  private keepRevision(id: string, revision: number): void {
    this.revisions.set(id, revision);
    if (this.revisions.size <= 2 * this.tenants.size + MISSES_MAX) return;
    for (const known of this.revisions.keys()) {
      if (!this.tenants.has(known) && known !== id) this.revisions.delete(known);
    }
  }

  private apply(key: string, json: string): void {
    const { kind, name } = parseConfigKey(key);
    try {
      const value: unknown = JSON.parse(json);
      if (kind === 'tenant') this.applyTenant(name, value as TenantSnapshot);
      else if (kind === 'type') this.types.set(name, value as EventTypeSnapshot);
      else if (kind === 'key') this.applyKey(name, value as ApiKeySnapshot);
      else if (kind === 'revoked') {
        this.revocations.set(name, (value as RevocationSnapshot).rev);
      } else if (key === configKeys.complete) this.markComplete();
    } catch (error) {
      this.log.error({ key, error: (error as Error).message }, 'config.entry_unreadable');
    }
  }

  private markComplete(): void {
    this.hasAll = true;
    this.complete.resolve();
  }

  private applyTenant(id: string, snapshot: TenantSnapshot): void {
    const known = this.tenants.get(id);
    // A look-up may run ahead of the watch: never replace a newer snapshot.
    if (known !== undefined && known.rev >= snapshot.rev) return;
    this.tenants.set(id, snapshot);
    this.misses.delete(id);
  }

  private remove(key: string): void {
    const { kind, name } = parseConfigKey(key);
    if (kind === 'tenant') this.tenants.delete(name);
    else if (kind === 'type') this.types.delete(name);
    else if (kind === 'key') this.removeKey(name);
    else if (kind === 'revoked') this.revocations.delete(name);
  }

  private applyKey(hash: string, snapshot: ApiKeySnapshot): void {
    this.removeKey(hash);
    this.keys.set(hash, snapshot);
    this.keysById.set(snapshot.id, snapshot);
  }

  private removeKey(hash: string): void {
    const known = this.keys.get(hash);
    if (known !== undefined) this.keysById.delete(known.id);
    this.keys.delete(hash);
  }
}
