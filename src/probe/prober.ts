/**
 * Sends an event through every shard at each interval and reports the result (OB-6).
 *
 * Every round of a canary has one result. The first round creates the tenant and the endpoint.
 * After a lost round, the endpoint is checked and recreated if it was removed. Canaries are
 * independent: a slow answer delays only its own canary's next round. Bounds: one request at a time
 * for each canary, and those of `round-ledger.ts`.
 */
import type { Clock } from '#domain/clock.ts';
import { newId } from '#domain/ids.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ApiClient } from './api-client.ts';
import { type Canary, PROBE_EVENT_TYPE } from './canary.ts';
import type { ProbeMetrics, RoundResult } from './probe-metrics.ts';
import { LOST_AFTER_MS, RoundLedger } from './round-ledger.ts';

const TICK_EVERY_MS = 1000;
/** A configuration change is in force everywhere within a second. */
const IN_FORCE_AFTER_MS = 1000;

export interface ProberDeps {
  api: ApiClient;
  /** By shard. */
  canaries: Canary[];
  intervalMs: number;
  metrics: ProbeMetrics;
  log: Log;
  clock: Clock;
}

interface CanaryState {
  shard: number;
  canary: Canary;
  ledger: RoundLedger;
  nextMs: number;
  isBusy: boolean;
  /** A round was lost since the endpoint was last known to be in place. */
  isDoubtful: boolean;
  /**
   * Start of the current failure, monotonic milliseconds; undefined if the last round succeeded.
   */
  failingSinceMs: number | undefined;
}

export class Prober {
  private readonly deps: ProberDeps;
  private readonly states: CanaryState[];
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: ProberDeps) {
    this.deps = deps;
    this.states = deps.canaries.map((canary, shard) => ({
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
    const tickEveryMs = Math.min(TICK_EVERY_MS, this.deps.intervalMs);
    const now = this.deps.clock.monotonicMs();
    // Spread the canaries over the interval to avoid a burst.
    for (const state of this.states) {
      state.nextMs = now + (this.deps.intervalMs * state.shard) / this.states.length;
    }
    this.timer = setInterval(() => this.tick(), tickEveryMs);
  }

  /** Rounds in flight get no result. */
  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Records a verified webhook to a canary's path. */
  onWebhook(tenant: string, id: string): void {
    const state = this.states.find(({ canary }) => canary.tenant === tenant);
    if (state === undefined) return;
    const { metrics } = this.deps;
    const took = state.ledger.arrive(id, this.deps.clock.monotonicMs());
    if (took === 'late') metrics.late.inc({ shard: state.shard });
    if (typeof took !== 'number') return;
    metrics.duration.observe(took / 1000);
    metrics.lastSuccess.set({ shard: state.shard }, this.deps.clock.wallMs() / 1000);
    this.end(state, 'succeeded');
  }

  private tick(): void {
    const now = this.deps.clock.monotonicMs();
    for (const state of this.states) {
      for (const id of state.ledger.expire(now)) this.reportLost(state, id);
      if (state.isBusy || now < state.nextMs) continue;
      // Count from now: a process that was paused must not send a burst.
      state.nextMs = now + this.deps.intervalMs;
      state.isBusy = true;
      void this.round(state).finally(() => {
        state.isBusy = false;
      });
    }
  }

  private async round(state: CanaryState): Promise<void> {
    const { canary, ledger } = state;
    try {
      if (!canary.isPrepared || (state.isDoubtful && !(await this.isInPlace(state)))) {
        await canary.prepare();
        state.isDoubtful = false;
        ledger.reset();
        state.nextMs = this.deps.clock.monotonicMs() + IN_FORCE_AFTER_MS;
        return;
      }
    } catch (error) {
      this.reportFailure(state, 'unprepared', { error: reasonOf(error) });
      return;
    }
    const now = this.deps.clock.monotonicMs();
    if (ledger.isPathBroken(now)) this.end(state, 'lost');
    else await this.send(state, newId('evt', this.deps.clock.wallMs()), now);
  }

  private async send(state: CanaryState, id: string, nowMs: number): Promise<void> {
    const { canary, ledger, shard } = state;
    ledger.begin(id, nowMs);
    try {
      await this.deps.api.publish(canary.tenant, { id, type: PROBE_EVENT_TYPE, data: { shard } });
      this.deps.metrics.sent.inc({ shard });
    } catch (error) {
      if (!ledger.refuse(id)) return;
      this.reportFailure(state, 'refused', { event_id: id, error: reasonOf(error) });
    }
  }

  private async isInPlace(state: CanaryState): Promise<boolean> {
    const { canary, shard } = state;
    const tenant = { shard, tenant_id: canary.tenant };
    try {
      state.isDoubtful = !(await canary.isInPlace());
      // The endpoint was removed by hand, or by another probe of the same name.
      if (state.isDoubtful) this.deps.log.error(tenant, 'probe.endpoint_gone');
      return !state.isDoubtful;
    } catch {
      // Without control, the endpoint cannot have been changed either.
      return true;
    }
  }

  private reportLost(state: CanaryState, id: string): void {
    state.isDoubtful = true;
    this.reportFailure(state, 'lost', { event_id: id, waited_ms: LOST_AFTER_MS });
  }

  private reportFailure(state: CanaryState, result: RoundResult, facts: object): void {
    const { shard, canary } = state;
    const line = { shard, tenant_id: canary.tenant, result, ...facts };
    this.deps.log.warn(line, 'probe.round_failed');
    this.end(state, result);
  }

  private end(state: CanaryState, result: RoundResult): void {
    const { shard, failingSinceMs } = state;
    this.deps.metrics.rounds.inc({ shard, result });
    if (result !== 'succeeded') {
      state.failingSinceMs ??= this.deps.clock.monotonicMs();
    } else if (failingSinceMs !== undefined) {
      const failedMs = Math.round(this.deps.clock.monotonicMs() - failingSinceMs);
      this.deps.log.info({ shard, failed_ms: failedMs }, 'probe.recovered');
      state.failingSinceMs = undefined;
    }
  }
}

/** The message of a fetch error is only `fetch failed`; its cause has the reason. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
