/**
 * Shares the thread between filters and everything else, and between tenants, so that no tenant's filters hurt
 * another's latency.
 *
 * A match is: done at once, as nearly all are -> or over what this turn of the event loop has left, and waiting -> going
 * on in a later turn, and waiting again -> done. Those that wait take turns by what they took so far (start-time fair
 * queueing: Goyal, Vin and Cheng, 1996). A match of few and cheap filters is never counted, and never waits.
 *
 * Between two filters is the only place where a match can stop. Where one filter ran over its turn
 * (`limits.regexStepsMax` and `limits.filterComparisonsMax` bound it), they all rest for as long as it ran.
 *
 * Limits: as much waits as the router lets match at one time, one event of each tenant.
 */
import { tenantIdOf } from '#domain/tenant.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { EventSource, SubscriptionIndex, UnfinishedMatch } from '../subscription-index.ts';

/** Of all filters in one turn of the event loop; 0.1 to 3 ms (measured). */
const TURN_STEPS = 200_000;
/** Of one match that is not counted: 200 cheap filters; less than all else that is done for an event. */
const FREE_STEPS = 2000;
/** Longer than a turn should be. */
const REST_OVER_MS = 5;
/** Of one event's filters, on the thread. */
const TELL_OVER_MS = 1000;

export interface MatchQuestion {
  tenant: string;
  index: SubscriptionIndex;
  type: string;
  event: EventSource;
  /** Whether the answer is still of use; if not, it may be any. */
  mayWork: () => boolean;
}

interface Waiting {
  question: MatchQuestion;
  match: UnfinishedMatch;
  /** Steps of the tenant since somebody waits: the least is the next. */
  position: number;
  ranMs: number;
  done: (endpoints: EndpointSnapshot[]) => void;
}

export class FilterTurns {
  private readonly log: Log;
  private stepsLeft = TURN_STEPS;
  private isArmed = false;
  private restUntilMs = 0;
  private readonly waiting: Waiting[] = [];
  /** The position of who had the last turn. */
  private reached = 0;
  private readonly positions = new Map<string, number>();
  private readonly told = new WeakSet<SubscriptionIndex>();

  constructor(deps: { log: Log }) {
    this.log = deps.log;
  }

  /**
   * The endpoints that an event matches: at once, where that takes no longer than others may be kept waiting.
   *
   * @throws what `event` throws, at once
   */
  match(question: MatchQuestion): EndpointSnapshot[] | Promise<EndpointSnapshot[]> {
    const { tenant, index, type, event } = question;
    const stepsMax = index.isDear ? this.stepsLeft : Math.max(FREE_STEPS, this.stepsLeft);
    const budget = { steps: 0, stepsMax, compileSteps: 0 };
    const sinceMs = index.isDear ? performance.now() : undefined;
    const found = index.match(type, event, budget);
    if (sinceMs !== undefined) this.ran(sinceMs);
    if (budget.steps - budget.compileSteps > FREE_STEPS) index.isDear = true;
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
    const restMs = this.restUntilMs - performance.now();
    if (restMs > 0) {
      setTimeout(() => this.begin(), restMs);
      return;
    }
    this.stepsLeft = TURN_STEPS;
    while (this.stepsLeft > 0 && this.waiting.length > 0) this.goOn(this.takeNext());
    this.isArmed = false;
    if (this.waiting.length === 0) {
      this.positions.clear();
      this.reached = 0;
    }
    // Where something was taken, a new turn has to begin even if nobody waits.
    if (this.waiting.length > 0 || this.stepsLeft < TURN_STEPS) this.arm();
  }

  private ran(sinceMs: number): number {
    const nowMs = performance.now();
    const ranMs = nowMs - sinceMs;
    if (ranMs > REST_OVER_MS) this.restUntilMs = nowMs + ranMs;
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

  private goOn(waiting: Waiting): void {
    const { question, match, position, done } = waiting;
    if (!question.mayWork()) return done([]);
    const budget = { steps: 0, stepsMax: this.stepsLeft, compileSteps: 0 };
    const sinceMs = performance.now();
    const found = match.goOn(budget);
    waiting.ranMs += this.ran(sinceMs);
    this.charge(question.tenant, position, budget.steps);
    if (found === undefined) {
      waiting.position = position + budget.steps;
      this.waiting.push(waiting);
      return;
    }
    this.tell(waiting);
    done(found);
  }

  private tell({ question, ranMs }: Waiting): void {
    const { tenant, type, index } = question;
    if (ranMs <= TELL_OVER_MS || this.told.has(index)) return;
    this.told.add(index);
    const facts = { tenant_id: tenantIdOf(tenant), event_type: type, thread_ms: Math.round(ranMs) };
    this.log.warn(facts, 'router.filters_slow');
  }
}
