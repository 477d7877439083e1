import type { Clock } from '#domain/clock.ts';
import {
  type CompiledFilter,
  compileFilter,
  type FilterWork,
} from '#domain/filter/compile-filter.ts';
import { type DataFields, filterDataFields, joinDataFields } from '#domain/filter/needs-data.ts';
import type {
  EndpointSnapshot,
  SubscriptionSnapshot,
  TenantSnapshot,
} from '#wire/config-snapshot.ts';
import type { FaultyFilters } from './faulty-filters.ts';
import { SelectorMap } from './selector-map.ts';

/**
 * Returns the event as filters see it: `{id, type, source, time, subject, data, <extension
 * attributes>}`.
 *
 * @param needsData false if no filter to be evaluated reads `data`, which may then be left out
 */
export type EventSource = (needsData: boolean) => Record<string, unknown>;

/** A subscription of an existing endpoint. */
interface Candidate {
  subscription: SubscriptionSnapshot;
  /** Index of the endpoint in the snapshot. */
  endpoint: number;
  /** Compiled at first use: a process never evaluates most filters of a large tenant. */
  test: CompiledFilter | undefined;
  dataFields: DataFields | undefined;
}

/** Work that filters may do before the event loop runs other work. */
export interface StepBudget extends FilterWork {
  stepsMax: number;
  /** Steps for compiling: later matches do not repeat them. */
  compileSteps: number;
}

/** A match that ran out of budget. */
export interface UnfinishedMatch {
  /** Evaluates the remaining filters, at least one if a step is left. Undefined: not done yet. */
  resume: (budget: StepBudget) => EndpointSnapshot[] | undefined;
}

/** The filters of one match. */
interface OpenQuestion {
  /** Indexes of endpoints. */
  matched: number[];
  open: readonly Candidate[];
  next: number;
  document: Record<string, unknown>;
}

/** Base cost of a filter. */
const FILTER_STEPS = 10;
/** Converts time to steps: compiling a filter takes from 5 us to about 10 ms (measured). */
const STEPS_PER_MS = 100_000;

/**
 * Finds the endpoints of a tenant that get an event. Built from a snapshot and immutable: a newer
 * snapshot gets a new index. A match costs in proportion to the subscriptions with selectors that
 * match the event's type (RT-3): exact names and prefixes are in maps, with one look-up for each
 * segment of the type.
 */
export class SubscriptionIndex {
  private readonly clock: Clock;
  private readonly endpoints: readonly EndpointSnapshot[];
  private readonly bySelector = new SelectorMap<Candidate>();
  /** By endpoint: number of the last `match` that had it. Cheaper than a set for each event. */
  private readonly matchedIn: Uint32Array;
  private matchNo = 0;
  private lookedAt = 0;
  /** Its filters took long enough to be counted: no match starts once the turn's budget is used. */
  isExpensive = false;
  private readonly tenant: string;
  private readonly faulty: Pick<FaultyFilters, 'report'>;

  /** @param faulty receives each stored filter that does not compile, at its first use */
  constructor(snapshot: TenantSnapshot, faulty: Pick<FaultyFilters, 'report'>, clock: Clock) {
    this.clock = clock;
    this.tenant = snapshot.id;
    this.faulty = faulty;
    this.endpoints = snapshot.endpoints;
    this.matchedIn = new Uint32Array(snapshot.endpoints.length);
    const positions = new Map(snapshot.endpoints.map((endpoint, i) => [endpoint.id, i]));
    for (const subscription of snapshot.subscriptions) {
      const endpoint = positions.get(subscription.endpointId);
      if (endpoint === undefined) continue;
      const candidate: Candidate = {
        subscription,
        endpoint,
        test: undefined,
        dataFields: undefined,
      };
      for (const selector of new Set(subscription.eventTypes)) {
        this.bySelector.add(selector, candidate);
      }
    }
  }

  /** Subscriptions examined by all calls of `match`: the measure of their cost. */
  get candidatesEvaluated(): number {
    return this.lookedAt;
  }

  /**
   * Returns the endpoints with at least one matching subscription, each once, in the snapshot's
   * order and in any state (RT-4: the router decides how to treat a paused endpoint).
   *
   * @param event called at most once, and only if a filter has to be evaluated
   * @param budget once it is used up no further filter is evaluated: the result is then an
   * `UnfinishedMatch`
   */
  match(
    type: string,
    event: EventSource,
    budget: StepBudget,
  ): EndpointSnapshot[] | UnfinishedMatch {
    this.beginMatch();
    const lists = this.bySelector.lookUp(type);
    const matched: number[] = [];
    // Subscriptions without a filter first: an endpoint found by one needs no filter evaluated.
    let filters = 0;
    for (const list of lists) {
      this.lookedAt += list.length;
      for (const candidate of list) {
        if (candidate.subscription.filter === undefined) this.add(matched, candidate.endpoint);
        else filters++;
      }
    }
    const rest = filters === 0 ? undefined : this.addFiltered(matched, lists, event, budget);
    return rest ?? this.inOrder(matched);
  }

  /** Whether a filter that applies to events of the type reads `data`. */
  needsData(type: string): boolean {
    return this.bySelector.lookUp(type).some((list) => list.some(readsData));
  }

  /** The members of `data` that filters for events of the type read. */
  dataFields(type: string): DataFields {
    return joinDataFields(this.bySelector.lookUp(type).flat().map(fieldsOf));
  }

  private addFiltered(
    matched: number[],
    lists: readonly (readonly Candidate[])[],
    event: EventSource,
    budget: StepBudget,
  ): UnfinishedMatch | undefined {
    const open = lists
      .flat()
      .filter((each) => each.subscription.filter !== undefined && !this.isMatched(each.endpoint));
    if (open.length === 0) return undefined;
    const question: OpenQuestion = {
      matched,
      open,
      next: 0,
      document: event(open.some(readsData)),
    };
    if (this.evaluate(question, budget)) return undefined;
    const no = this.matchNo;
    return {
      resume: (more) => {
        if (this.matchNo !== no) this.mark(matched);
        return this.evaluate(question, more) ? this.inOrder(matched) : undefined;
      },
    };
  }

  /** False if the budget ran out. */
  private evaluate(question: OpenQuestion, budget: StepBudget): boolean {
    const { matched, open, document } = question;
    for (; question.next < open.length; question.next++) {
      const candidate = open[question.next] as Candidate;
      if (this.isMatched(candidate.endpoint)) continue;
      if (budget.steps >= budget.stepsMax) return false;
      budget.steps += FILTER_STEPS;
      const test = candidate.test ?? this.compile(candidate, budget);
      if (test(document, budget)) this.add(matched, candidate.endpoint);
    }
    return true;
  }

  private inOrder(matched: number[]): EndpointSnapshot[] {
    if (matched.length > 1) matched.sort((a, b) => a - b);
    return matched.map((position) => this.endpoints[position] as EndpointSnapshot);
  }

  /** Another match ran in between. */
  private mark(matched: readonly number[]): void {
    this.beginMatch();
    for (const endpoint of matched) this.matchedIn[endpoint] = this.matchNo;
  }

  private add(matched: number[], endpoint: number): void {
    if (this.isMatched(endpoint)) return;
    this.matchedIn[endpoint] = this.matchNo;
    matched.push(endpoint);
  }

  private isMatched(endpoint: number): boolean {
    return this.matchedIn[endpoint] === this.matchNo;
  }

  private beginMatch(): void {
    this.matchNo++;
    if (this.matchNo <= 0xffffffff) return;
    this.matchNo = 1;
    this.matchedIn.fill(0);
  }

  private compile(candidate: Candidate, budget: StepBudget): CompiledFilter {
    const sinceMs = this.clock.monotonicMs();
    try {
      candidate.test = compileFilter(candidate.subscription.filter ?? {});
    } catch (error) {
      // Rethrown, it would stop the tenant's other subscriptions too, at every event.
      candidate.test = this.faulty.report(this.tenant, candidate.subscription, error);
    }
    const steps = (this.clock.monotonicMs() - sinceMs) * STEPS_PER_MS;
    budget.steps += steps;
    budget.compileSteps += steps;
    return candidate.test;
  }
}

function readsData(candidate: Candidate): boolean {
  const fields = fieldsOf(candidate);
  return fields === 'all' || fields.size > 0;
}

function fieldsOf(candidate: Candidate): DataFields {
  const { filter } = candidate.subscription;
  if (filter === undefined) return NO_FIELDS;
  if (candidate.dataFields !== undefined) return candidate.dataFields;
  try {
    candidate.dataFields = filterDataFields(filter);
  } catch {
    // A filter that cannot be compiled either, and matches nothing.
    candidate.dataFields = NO_FIELDS;
  }
  return candidate.dataFields;
}

const NO_FIELDS: DataFields = new Set();
