/**
 * Sends an event through every shard again and again, and says what became of each (OB-6).
 *
 * Every round of a canary has one result. Before its first round its tenant and endpoint are made; after a round that was lost
 * they are looked at, and made again where somebody removed them. Nothing here waits for anybody: an answer that takes long
 * holds up the canary's own next round only. Bounds: one request at a time for each canary, and what `round-ledger.ts` says.
 */
import { newId } from '#domain/ids.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ApiClient } from './api-client.ts';
import { type Canary, PROBE_EVENT_TYPE } from './canary.ts';
import type { ProbeMetrics, RoundResult } from './probe-metrics.ts';
import { LOST_AFTER_MS, RoundLedger } from './round-ledger.ts';

const LOOK_EVERY_MS = 1000;
/** A change of the configuration is in force everywhere within a second. */
const IN_FORCE_AFTER_MS = 1000;

export interface ProberDeps {
  api: ApiClient;
  /** By shard. */
  canaries: Canary[];
  intervalMs: number;
  metrics: ProbeMetrics;
  log: Log;
}

interface Watched {
  shard: number;
  canary: Canary;
  ledger: RoundLedger;
  nextMs: number;
  isBusy: boolean;
  /** Something was lost since it was known to be in place. */
  isDoubtful: boolean;
  /** Since when no round has succeeded, if the last one did not. */
  failingSinceMs: number | undefined;
}

export class Prober {
  private readonly deps: ProberDeps;
  private readonly watched: Watched[];
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: ProberDeps) {
    this.deps = deps;
    this.watched = deps.canaries.map((canary, shard) => ({
      shard,
      canary,
      ledger: new RoundLedger(),
      nextMs: 0,
      isBusy: false,
      isDoubtful: false,
      failingSinceMs: undefined,
    }));
  }

  start(): void {
    const lookEveryMs = Math.min(LOOK_EVERY_MS, this.deps.intervalMs);
    const now = performance.now();
    // Spread over the interval, so that they are no burst.
    for (const one of this.watched) {
      one.nextMs = now + (this.deps.intervalMs * one.shard) / this.watched.length;
    }
    this.timer = setInterval(() => this.look(), lookEveryMs);
  }

  /** Rounds under way have no result. */
  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** A genuine webhook to a canary's path. */
  onWebhook(tenant: string, id: string): void {
    const one = this.watched.find(({ canary }) => canary.tenant === tenant);
    if (one === undefined) return;
    const { metrics } = this.deps;
    const took = one.ledger.arrive(id, performance.now());
    if (took === 'late') metrics.late.inc({ shard: one.shard });
    if (typeof took !== 'number') return;
    metrics.duration.observe(took / 1000);
    metrics.lastSuccess.set({ shard: one.shard }, Date.now() / 1000);
    this.end(one, 'succeeded');
  }

  private look(): void {
    const now = performance.now();
    for (const one of this.watched) {
      for (const id of one.ledger.takeLost(now)) this.lose(one, id);
      if (one.isBusy || now < one.nextMs) continue;
      // From now: after a pause of the process there is no burst.
      one.nextMs = now + this.deps.intervalMs;
      one.isBusy = true;
      void this.round(one).finally(() => {
        one.isBusy = false;
      });
    }
  }

  private async round(one: Watched): Promise<void> {
    const { canary, ledger } = one;
    try {
      if (!canary.isPrepared || (one.isDoubtful && !(await this.isInPlace(one)))) {
        await canary.prepare();
        one.isDoubtful = false;
        ledger.startAfresh();
        one.nextMs = performance.now() + IN_FORCE_AFTER_MS;
        return;
      }
    } catch (error) {
      this.complain(one, 'unprepared', { error: reasonOf(error) });
      return;
    }
    const now = performance.now();
    if (ledger.isHopeless(now)) this.end(one, 'lost');
    else await this.send(one, newId('evt'), now);
  }

  private async send(one: Watched, id: string, nowMs: number): Promise<void> {
    const { canary, ledger, shard } = one;
    ledger.begin(id, nowMs);
    try {
      await this.deps.api.publish(canary.tenant, { id, type: PROBE_EVENT_TYPE, data: { shard } });
      this.deps.metrics.sent.inc({ shard });
    } catch (error) {
      if (!ledger.refuse(id)) return;
      this.complain(one, 'refused', { event_id: id, error: reasonOf(error) });
    }
  }

  private async isInPlace(one: Watched): Promise<boolean> {
    const { canary, shard } = one;
    const tenant = { shard, tenant_id: canary.tenant };
    try {
      one.isDoubtful = !(await canary.isInPlace());
      // Somebody's hand, or another probe of the same name.
      if (one.isDoubtful) this.deps.log.error(tenant, 'probe.endpoint_gone');
      return !one.isDoubtful;
    } catch {
      // Without control nobody has changed it either.
      return true;
    }
  }

  private lose(one: Watched, id: string): void {
    one.isDoubtful = true;
    this.complain(one, 'lost', { event_id: id, waited_ms: LOST_AFTER_MS });
  }

  private complain(one: Watched, result: RoundResult, facts: object): void {
    const { shard, canary } = one;
    const line = { shard, tenant_id: canary.tenant, result, ...facts };
    this.deps.log.warn(line, 'probe.round_failed');
    this.end(one, result);
  }

  private end(one: Watched, result: RoundResult): void {
    const { shard, failingSinceMs } = one;
    this.deps.metrics.rounds.inc({ shard, result });
    if (result !== 'succeeded') {
      one.failingSinceMs ??= performance.now();
    } else if (failingSinceMs !== undefined) {
      const failedMs = Math.round(performance.now() - failingSinceMs);
      this.deps.log.info({ shard, failed_ms: failedMs }, 'probe.recovered');
      one.failingSinceMs = undefined;
    }
  }
}

/** What fetch throws says `fetch failed`; its cause says why. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
