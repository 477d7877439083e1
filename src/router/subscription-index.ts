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
 * Gives the event as filters see it: `{id, type, source, time, subject, data, <extension attributes>}`.
 *
 * @param needsData false where no filter that will be asked looks at `data`: it may be left out then
 */
export type EventSource = (needsData: boolean) => Record<string, unknown>;

/** A subscription of an endpoint that exists. */
interface Candidate {
  subscription: SubscriptionSnapshot;
  /** Position of the endpoint in the snapshot. */
  endpoint: number;
  /** Made when first asked: most of a large tenant's filters are never asked of a process. */
  test: CompiledFilter | undefined;
  dataFields: DataFields | undefined;
}

/** How far filters may go before others have the thread. */
export interface StepBudget extends FilterWork {
  stepsMax: number;
  /** Those of `steps` that no later match takes again. */
  compileSteps: number;
}

/** A match whose budget did not suffice. */
export interface UnfinishedMatch {
  /** Asks the filters that are left; at least one, where the budget has a step. Undefined: it is not done yet. */
  goOn: (budget: StepBudget) => EndpointSnapshot[] | undefined;
}

/** The filters of one match. */
interface Asked {
  /** Positions of endpoints. */
  matched: number[];
  open: readonly Candidate[];
  next: number;
  document: Record<string, unknown>;
}

/** What a filter takes that looks at nothing. */
const FILTER_STEPS = 10;
/** What is not counted in steps is timed: to compile a filter takes from 5 us to some 10 ms (measured). */
const STEPS_PER_MS = 100_000;

/**
 * Which endpoints of a tenant get an event. Built whole from a snapshot and never changed: a newer
 * snapshot gets a new index. The cost of a match is in proportion to the subscriptions whose selectors
 * match the event's type (RT-3): exact names and prefixes are looked up in maps, one look-up for each
 * segment of the type.
 */
export class SubscriptionIndex {
  private readonly endpoints: readonly EndpointSnapshot[];
  private readonly bySelector = new SelectorMap<Candidate>();
  /** For each endpoint the number of the last `match` that had it: cheaper than a set for each event. */
  private readonly matchedIn: Uint32Array;
  private matchNo = 0;
  private lookedAt = 0;
  /** Its filters took long enough to be counted: no match is begun any more where the turn is used up. */
  isDear = false;
  private readonly tenant: string;
  private readonly faulty: Pick<FaultyFilters, 'report'>;

  /** @param faulty takes each stored filter that does not compile, when it is first asked */
  constructor(snapshot: TenantSnapshot, faulty: Pick<FaultyFilters, 'report'>) {
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

  /** How many subscriptions all calls of `match` looked at: the measure of their cost. */
  get candidatesLookedAt(): number {
    return this.lookedAt;
  }

  /**
   * The endpoints with at least one subscription that matches, each once, in the snapshot's order and
   * whatever their state (RT-4: what a paused one gets is the router's to decide).
   *
   * @param event called at most once, and only where a filter has to be asked
   * @param budget once it is used up no further filter is asked: what is found then is to be gone on with
   */
  match(
    type: string,
    event: EventSource,
    budget: StepBudget,
  ): EndpointSnapshot[] | UnfinishedMatch {
    this.beginMatch();
    const lists = this.bySelector.lookUp(type);
    const matched: number[] = [];
    // Those without a filter first: an endpoint that is in by one of them has no filter to be asked.
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

  /** Whether a filter that an event of the type may be asked looks at its data. */
  needsData(type: string): boolean {
    return this.bySelector.lookUp(type).some((list) => list.some(looksAtData));
  }

  /** The members of `data` that a filter looks at which an event of the type may be asked. */
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
    const asked: Asked = { matched, open, next: 0, document: event(open.some(looksAtData)) };
    if (this.ask(asked, budget)) return undefined;
    const no = this.matchNo;
    return {
      goOn: (more) => {
        if (this.matchNo !== no) this.mark(matched);
        return this.ask(asked, more) ? this.inOrder(matched) : undefined;
      },
    };
  }

  /** False where the budget did not suffice for all. */
  private ask(asked: Asked, budget: StepBudget): boolean {
    const { matched, open, document } = asked;
    for (; asked.next < open.length; asked.next++) {
      const candidate = open[asked.next] as Candidate;
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

  /** Another match came between. */
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
    const sinceMs = performance.now();
    try {
      candidate.test = compileFilter(candidate.subscription.filter ?? {});
    } catch (error) {
      // Thrown on, it would stop the tenant's other subscriptions too, at every event.
      candidate.test = this.faulty.report(this.tenant, candidate.subscription, error);
    }
    const steps = (performance.now() - sinceMs) * STEPS_PER_MS;
    budget.steps += steps;
    budget.compileSteps += steps;
    return candidate.test;
  }
}

function looksAtData(candidate: Candidate): boolean {
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
    // It cannot be compiled either, and matches nothing.
    candidate.dataFields = NO_FIELDS;
  }
  return candidate.dataFields;
}

const NO_FIELDS: DataFields = new Set();
