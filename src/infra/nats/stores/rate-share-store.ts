/**
 * Keeps the shares of rate limits in step between processes (IN-8). The KV bucket RATES has one key
 * for each process that serves producers or the API. The key holds the demands of that process that
 * are above half of an equal share. It is written four times a second while there are such demands,
 * and once a second else.
 *
 * States of another process: seen (its key was written) -> gone (deleted, or not written for
 * `GONE_MS`). While NATS is unavailable nothing changes: the last shares hold. So a process counts
 * as gone only if the watch has delivered our own writes for as long. A crash leaves a key that
 * expires after `RATES_KEPT_MS` (`streams/streams.ts`).
 */
import type { KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import type { Demands } from '#domain/rate-limit/share-of-limit.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { buckets } from '#wire/subjects.ts';
import type { Service } from '../../service.ts';
import { BucketWatch } from './bucket-watch.ts';

const GONE_MS = 4000;
/** Writes without demand, and the longest gap between two of our writes that arrive in time. */
const IDLE_WRITE_MS = 1000;
const GAP_MS = 2500;

/** The doors that a process serves. Limits of events and of the API have shares of their own. */
export const rateDoors = ['events', 'api'] as const;
export type RateDoor = (typeof rateDoors)[number];

/** The value of a key. */
interface Announcement {
  v: 1;
  doors: RateDoor[];
  demands: Record<string, number>;
}

interface Peer {
  seenMs: number;
  doors: readonly RateDoor[];
  demands: Map<string, number>;
}

/** The subject of a limit: of a key at every door, or of a tenant at one. */
export const rateSubjects = {
  key: (keyId: string) => `key.${keyId}`,
  tenant: (door: RateDoor, lifeId: string) => `${door}.${lifeId}`,
} as const;

export interface RateShareStoreDeps {
  nc: NatsConnection;
  /** Unique name of this process: letters, digits, - and _. */
  me: string;
  doors: readonly RateDoor[];
  clock: Pick<Clock, 'monotonicMs'>;
  log: Log;
}

export class RateShareStore implements Service {
  readonly name = 'rate-shares';
  private readonly deps: RateShareStoreDeps;
  private readonly watch: BucketWatch;
  private readonly peers = new Map<string, Peer>();
  private own = new Map<string, number>();
  private kv: KV | undefined;
  private writtenMs = Number.NEGATIVE_INFINITY;
  private writing = false;
  /** Since when our own writes arrive without a gap; undefined: none has. */
  private echoesSinceMs: number | undefined;
  private echoMs = Number.NEGATIVE_INFINITY;
  private stopped = false;
  /** Changes with the shares. */
  version = 0;
  /** When this process joined others; undefined: it was alone at its start. */
  joinedMs: number | undefined;

  constructor(deps: RateShareStoreDeps) {
    this.deps = deps;
    const { nc, log } = deps;
    this.watch = new BucketWatch({
      nc,
      log,
      bucket: buckets.rates,
      failed: 'rate_limits.watch_failed',
      onBegin: (kv) => {
        this.kv = kv;
      },
      onEntry: (entry) => {
        if (entry.operation === 'PUT') this.take(entry.key, entry.string());
        else this.forget(entry.key);
      },
      onKnown: () => {},
    });
  }

  /** Resolves when the other processes are known, and know this one. */
  async start(): Promise<void> {
    await this.watch.start();
    if (this.peers.size > 0) this.joinedMs = this.deps.clock.monotonicMs();
    await this.write();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.watch.stop();
    await this.kv?.delete(this.deps.me).catch(() => undefined);
  }

  demandsOf(subject: string): Demands {
    let processes = 1;
    let others: number | undefined;
    for (const { doors, demands } of this.peers.values()) {
      if (!serves(doors, subject)) continue;
      processes++;
      const demand = demands.get(subject);
      if (demand !== undefined) others = (others ?? 0) + demand;
    }
    return { processes, own: this.own.get(subject), others };
  }

  /** Announces the demands of this process, at most `limits.rateDemandsAnnouncedMax` of them. */
  announce(demands: readonly (readonly [subject: string, demand: number])[]): void {
    const { monotonicMs } = this.deps.clock;
    if (this.stopped || this.writing) return;
    const isIdle = demands.length === 0 && this.own.size === 0;
    if (isIdle && monotonicMs() - this.writtenMs < IDLE_WRITE_MS) return;
    this.own = new Map(demands.slice(0, limits.rateDemandsAnnouncedMax));
    this.version++;
    void this.write();
  }

  private async write(): Promise<void> {
    const { me, doors, clock, log } = this.deps;
    const value: Announcement = {
      v: 1,
      doors: [...doors],
      demands: Object.fromEntries(this.own),
    };
    this.writing = true;
    this.writtenMs = clock.monotonicMs();
    try {
      await this.kv?.put(me, JSON.stringify(value));
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'rate_limits.not_announced');
    } finally {
      this.writing = false;
    }
  }

  private take(process: string, json: string): void {
    if (process === this.deps.me) {
      this.heardOwn();
      return;
    }
    try {
      const { doors, demands } = JSON.parse(json) as Announcement;
      this.peers.set(process, {
        seenMs: this.deps.clock.monotonicMs(),
        doors,
        demands: new Map(Object.entries(demands)),
      });
      this.version++;
    } catch (error) {
      this.deps.log.warn({ error: (error as Error).message }, 'rate_limits.entry_unreadable');
    }
  }

  private forget(process: string): void {
    if (this.peers.delete(process)) this.version++;
  }

  /** Our own write arrived, so those of the others would have arrived too. */
  private heardOwn(): void {
    const nowMs = this.deps.clock.monotonicMs();
    if (this.echoesSinceMs === undefined || nowMs - this.echoMs > GAP_MS) {
      this.echoesSinceMs = nowMs;
    }
    this.echoMs = nowMs;
    if (nowMs - this.echoesSinceMs < GONE_MS) return;
    for (const [process, { seenMs }] of this.peers) {
      if (nowMs - seenMs >= GONE_MS) this.forget(process);
    }
  }
}

function serves(doors: readonly RateDoor[], subject: string): boolean {
  return rateDoors.every((door) => !subject.startsWith(`${door}.`) || doors.includes(door));
}
