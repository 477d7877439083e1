/**
 * The rate limits of API keys and tenants in this process (IN-8): admits requests by GCRA in
 * memory, within this process's share of each limit.
 *
 * State: a limit has an entry from its first request until it is idle and its burst is full, so
 * that a new entry behaves the same. Bound: `limits.rateLimitEntriesMax`; beyond it the oldest
 * entry is dropped, and its limit starts with a full burst. Nothing is stored: after a crash each
 * limit starts again, with the tokens of a process that has just joined.
 */
import { Counter, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import type { RateLimit } from '#domain/endpoint/endpoint-policy.ts';
import { limits } from '#domain/limits.ts';
import { Gcra } from '#domain/rate-limit/gcra.ts';
import { announcedDemand, shareOfLimit } from '#domain/rate-limit/share-of-limit.ts';
import type { Service } from '#infra/service.ts';
import type { RateShareStore } from '../nats/stores/rate-share-store.ts';

const MEASURE_EVERY_MS = 250;
/** A demand below this share of the limit is forgotten. */
const NO_DEMAND = 0.001;

/** Which limit: of the API key, of the tenant. Also the name of the policy in the headers. */
export const rateLimitPolicies = ['key', 'tenant'] as const;
export type RateLimitPolicy = (typeof rateLimitPolicies)[number];

/** A limit that a request counts against. */
export interface AppliedLimit {
  policy: RateLimitPolicy;
  /** What the limit counts: requests with the same subject share it. */
  subject: string;
  limit: RateLimit;
}

/** The result of a request against its limits. */
export interface RateDecision {
  /** Number of events or requests that are admitted, from the first on. */
  admitted: number;
  /** The headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11). */
  policyHeader: string;
  limitHeader: string;
  /** Whole seconds until the next request is admitted, at least 1; undefined: all were admitted. */
  retryAfterSeconds: number | undefined;
  /** The limit that refused. */
  refusedBy: AppliedLimit | undefined;
}

interface Entry {
  gcra: Gcra;
  limit: RateLimit;
  policyText: string;
  /** Version of the shares for which `gcra` was configured. */
  version: number;
  /** Requests since the last measurement, refused ones included. */
  asked: number;
  /** Requests a second, refused ones included, averaged over about a second. */
  demand: number;
}

export interface RateLimitsDeps {
  shares: Pick<RateShareStore, 'announce' | 'demandsOf' | 'joinedMs' | 'version'>;
  registry: Registry;
  clock: Pick<Clock, 'monotonicMs'>;
}

export class RateLimits implements Service {
  readonly name = 'rate-limits';
  private readonly deps: RateLimitsDeps;
  private readonly now: () => number;
  private readonly entries = new Map<string, Entry>();
  private readonly refused: Counter<'policy'>;
  private measuredMs: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: RateLimitsDeps) {
    this.deps = deps;
    this.now = deps.clock.monotonicMs;
    this.measuredMs = this.now();
    this.refused = new Counter({
      name: 'posthorn_rate_limited_total',
      help: 'Events and requests refused by a rate limit, by the limit: of the key or the tenant.',
      labelNames: ['policy'],
      registers: [deps.registry],
    });
    for (const policy of rateLimitPolicies) this.refused.inc({ policy }, 0);
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => this.measure(), MEASURE_EVERY_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
  }

  /** Number of limits with an entry. */
  get size(): number {
    return this.entries.size;
  }

  /**
   * Admits up to `count` events or requests, and counts those admitted against every limit.
   *
   * @param applied at least one
   */
  admit(applied: readonly AppliedLimit[], count: number): RateDecision {
    const nowMs = this.now();
    let admitted = count;
    let refusedBy: AppliedLimit | undefined;
    const entries = applied.map((one) => {
      const entry = this.entryOf(one, nowMs);
      entry.asked += count;
      const admissible = entry.gcra.admissible(count, nowMs);
      if (admissible < admitted) {
        admitted = admissible;
        refusedBy = one;
      }
      return entry;
    });
    let waitMs = 0;
    let limitHeader = '';
    let policyHeader = '';
    for (const [index, { gcra, policyText }] of entries.entries()) {
      if (admitted > 0) gcra.take(admitted, nowMs);
      waitMs = Math.max(waitMs, gcra.waitMs(nowMs));
      const remaining = Math.max(0, Math.floor(gcra.available(nowMs)));
      const separator = index === 0 ? '' : ', ';
      policyHeader += separator + policyText;
      limitHeader += `${separator}"${(applied[index] as AppliedLimit).policy}";r=${remaining};t=${Math.ceil(gcra.fullInMs(nowMs) / 1000)}`;
    }
    if (refusedBy !== undefined) this.refused.inc({ policy: refusedBy.policy }, count - admitted);
    const retryAfterSeconds =
      refusedBy === undefined ? undefined : Math.max(1, Math.ceil(waitMs / 1000));
    return { admitted, policyHeader, limitHeader, retryAfterSeconds, refusedBy };
  }

  private entryOf({ policy, subject, limit }: AppliedLimit, nowMs: number): Entry {
    const { shares } = this.deps;
    let entry = this.entries.get(subject);
    if (entry === undefined) {
      const share = shareOfLimit(limit, shares.demandsOf(subject));
      const tokens = this.firstTokens(share, nowMs);
      entry = {
        gcra: new Gcra(share, tokens, nowMs),
        limit,
        policyText: policyText(policy, limit),
        version: shares.version,
        asked: 0,
        demand: 0,
      };
      if (this.entries.size >= limits.rateLimitEntriesMax) this.dropOldest();
      this.entries.set(subject, entry);
      return entry;
    }
    if (!sameLimit(entry.limit, limit)) {
      entry.limit = limit;
      entry.policyText = policyText(policy, limit);
      entry.version = -1;
    }
    if (entry.version !== shares.version) {
      entry.version = shares.version;
      entry.gcra.configure(shareOfLimit(limit, shares.demandsOf(subject)), nowMs);
    }
    return entry;
  }

  /**
   * The tokens of a new entry. The others may have spent the burst before this process joined them,
   * so its part of the burst fills from then on.
   */
  private firstTokens(share: RateLimit, nowMs: number): number {
    const { joinedMs } = this.deps.shares;
    if (joinedMs === undefined) return share.burst;
    return Math.min(share.burst, share.perSecond * (1 + (nowMs - joinedMs) / 1000));
  }

  private dropOldest(): void {
    for (const oldest of this.entries.keys()) {
      this.entries.delete(oldest);
      return;
    }
  }

  /** Measures the demands, announces those above half of an equal share, drops idle entries. */
  measure(): void {
    const nowMs = this.now();
    const seconds = Math.max(0.001, (nowMs - this.measuredMs) / 1000);
    this.measuredMs = nowMs;
    const { shares } = this.deps;
    const announced: [subject: string, demand: number][] = [];
    for (const [subject, entry] of this.entries) {
      entry.demand = (entry.demand + entry.asked / seconds) / 2;
      entry.asked = 0;
      const { processes } = shares.demandsOf(subject);
      const demand = announcedDemand(entry.limit, entry.demand, processes);
      if (demand !== undefined) announced.push([subject, demand]);
      else if (entry.demand < entry.limit.perSecond * NO_DEMAND) {
        if (entry.gcra.fullInMs(nowMs) === 0) this.entries.delete(subject);
      }
    }
    shares.announce(announced);
  }
}

function sameLimit(a: RateLimit, b: RateLimit): boolean {
  return a === b || (a.perSecond === b.perSecond && a.burst === b.burst);
}

/** The time in which the burst fills, in whole seconds, and the requests admitted in that time. */
function policyText(policy: RateLimitPolicy, { perSecond, burst }: RateLimit): string {
  const seconds = Math.max(1, Math.ceil(burst / perSecond));
  return `"${policy}";q=${Math.max(burst, Math.floor(perSecond * seconds))};w=${seconds}`;
}
