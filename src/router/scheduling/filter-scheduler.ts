/**
 * Shares the event loop between filters and other work, and between tenants, so that no tenant's
 * filters add latency for another.
 *
 * A match finishes immediately, as nearly all do; or it exceeds the budget of this turn of the
 * event loop and waits for one or more later turns. The waiting match with the least work done for
 * its tenant goes first (start-time fair queueing: Goyal, Vin and Cheng, 1996). A match of a few
 * cheap filters is neither counted nor delayed.
 *
 * A match can stop only between two filters. If one filter overruns its turn
 * (`limits.regexStepsMax` and `limits.filterComparisonsMax` bound it), all filters pause for as
 * long as it ran.
 *
 * Limits: the router runs at most one match of each tenant at a time.
 */
import type { Clock } from '#domain/clock.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { EventSource, SubscriptionIndex, UnfinishedMatch } from '../subscription-index.ts';

/** Steps of all filters in one turn of the event loop; 0.1 to 3 ms (measured). */
const TURN_STEPS = 200_000;
/** Steps of a match that is not counted: 200 cheap filters, less than an event's other work. */
const FREE_STEPS = 2000;
/** Longer than a turn should take. */
const PAUSE_OVER_MS = 5;
/** Time in the filters of one event above which its tenant is logged. */
const LOG_OVER_MS = 1000;

export interface MatchQuestion {
  tenant: string;
  index: SubscriptionIndex;
  type: string;
  event: EventSource;
  /**
   * Whether this router still owns the event's shard. If not, the result is discarded and may be
   * wrong.
   */
  isOwner: () => boolean;
}

interface Waiting {
  question: MatchQuestion;
  match: UnfinishedMatch;
  /** Steps of the tenant since its match waits: the smallest position goes next. */
  position: number;
  ranMs: number;
  done: (endpoints: EndpointSnapshot[]) => void;
}

export class FilterScheduler {
  private readonly clock: Clock;
  private readonly log: Log;
  private stepsLeft = TURN_STEPS;
  private isArmed = false;
  private restUntilMs = 0;
  private readonly waiting: Waiting[] = [];
  /** The position of the tenant that had the last turn. */
  private reached = 0;
  private readonly positions = new Map<string, number>();
  private readonly logged = new WeakSet<SubscriptionIndex>();

  constructor(deps: { clock: Clock; log: Log }) {
    this.clock = deps.clock;
    this.log = deps.log;
  }

  /**
   * Returns the endpoints that an event matches: synchronously if the budget suffices.
   *
   * @throws the errors of `event`, synchronously
   */
  match(question: MatchQuestion): EndpointSnapshot[] | Promise<EndpointSnapshot[]> {
    const { tenant, index, type, event } = question;
    const stepsMax = index.isExpensive ? this.stepsLeft : Math.max(FREE_STEPS, this.stepsLeft);
    const budget = { steps: 0, stepsMax, compileSteps: 0 };
    const sinceMs = index.isExpensive ? this.clock.monotonicMs() : undefined;
    const found = index.match(type, event, budget);
    if (sinceMs !== undefined) this.ran(sinceMs);
    if (budget.steps - budget.compileSteps > FREE_STEPS) index.isExpensive = true;
    if (budget.steps > FREE_STEPS) this.charge(tenant, this.positionOf(tenant), budget.steps);
    if (Array.isArray(found)) return found;
    return new Promise((done) => {
      const position = this.positionOf(tenant);
      this.waiting.push({ question, match: found, position, ranMs: 0, done });
      this.arm();
    });
  }

  private positionOf(tenant: string): number {
    return Math.max(this.reached, this.positions.get(tenant) ?? 0);
  }

  private charge(tenant: string, position: number, steps: number): void {
    this.stepsLeft -= steps;
    this.positions.set(tenant, position + steps);
    this.arm();
  }

  private arm(): void {
    if (this.isArmed) return;
    this.isArmed = true;
    setImmediate(() => this.begin());
  }

  private begin(): void {
    const restMs = this.restUntilMs - this.clock.monotonicMs();
    if (restMs > 0) {
      setTimeout(() => this.begin(), restMs);
      return;
    }
    this.stepsLeft = TURN_STEPS;
    while (this.stepsLeft > 0 && this.waiting.length > 0) this.resume(this.takeNext());
    this.isArmed = false;
    if (this.waiting.length === 0) {
      this.positions.clear();
      this.reached = 0;
    }
    // A used budget needs a new turn to refill it, even if no match waits.
    if (this.waiting.length > 0 || this.stepsLeft < TURN_STEPS) this.arm();
  }

  private ran(sinceMs: number): number {
    const nowMs = this.clock.monotonicMs();
    const ranMs = nowMs - sinceMs;
    if (ranMs > PAUSE_OVER_MS) this.restUntilMs = nowMs + ranMs;
    return ranMs;
  }

  private takeNext(): Waiting {
    let at = 0;
    for (let i = 1; i < this.waiting.length; i++) {
      if ((this.waiting[i] as Waiting).position < (this.waiting[at] as Waiting).position) at = i;
    }
    const [next] = this.waiting.splice(at, 1) as [Waiting];
    this.reached = next.position;
    return next;
  }

  private resume(waiting: Waiting): void {
    const { question, match, position, done } = waiting;
    if (!question.isOwner()) return done([]);
    const budget = { steps: 0, stepsMax: this.stepsLeft, compileSteps: 0 };
    const sinceMs = this.clock.monotonicMs();
    const found = match.resume(budget);
    waiting.ranMs += this.ran(sinceMs);
    this.charge(question.tenant, position, budget.steps);
    if (found === undefined) {
      waiting.position = position + budget.steps;
      this.waiting.push(waiting);
      return;
    }
    this.logSlow(waiting);
    done(found);
  }

  private logSlow({ question, ranMs }: Waiting): void {
    const { tenant, type, index } = question;
    if (ranMs <= LOG_OVER_MS || this.logged.has(index)) return;
    this.logged.add(index);
    const facts = { tenant_id: tenantIdOf(tenant), event_type: type, thread_ms: Math.round(ranMs) };
    this.log.warn(facts, 'router.filters_slow');
  }
}
