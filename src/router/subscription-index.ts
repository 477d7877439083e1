import { type CompiledFilter, compileFilter } from '#domain/filter/compile-filter.ts';
import { filterNeedsData } from '#domain/filter/needs-data.ts';
import type { EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { SelectorMap } from './selector-map.ts';

/**
 * Gives the event as filters see it: `{id, type, source, time, subject, data, <extension attributes>}`.
 *
 * @param needsData false where no filter that will be asked looks at `data`: it may be left out then
 */
export type EventSource = (needsData: boolean) => Record<string, unknown>;

/** A subscription of an endpoint that exists. */
interface Candidate {
  subscriptionId: string;
  /** Position of the endpoint in the snapshot. */
  endpoint: number;
  filter: Record<string, unknown> | undefined;
  /** Made when first asked: most of a large tenant's filters are never asked of a process. */
  prepared: PreparedFilter | undefined;
}

interface PreparedFilter {
  test: CompiledFilter;
  needsData: boolean;
}

export interface SubscriptionIndexOptions {
  /** A stored filter that cannot be compiled, told once; its subscription matches nothing. */
  onFaultyFilter?: (subscriptionId: string, error: unknown) => void;
}

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
  private readonly options: SubscriptionIndexOptions;

  constructor(snapshot: TenantSnapshot, options: SubscriptionIndexOptions = {}) {
    this.options = options;
    this.endpoints = snapshot.endpoints;
    this.matchedIn = new Uint32Array(snapshot.endpoints.length);
    const positions = new Map(snapshot.endpoints.map((endpoint, i) => [endpoint.id, i]));
    for (const subscription of snapshot.subscriptions) {
      const endpoint = positions.get(subscription.endpointId);
      if (endpoint === undefined) continue;
      const candidate: Candidate = {
        subscriptionId: subscription.id,
        endpoint,
        filter: subscription.filter,
        prepared: undefined,
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
   */
  match(type: string, event: EventSource): EndpointSnapshot[] {
    this.beginMatch();
    const lists = this.bySelector.lookUp(type);
    const matched: number[] = [];
    // Those without a filter first: an endpoint that is in by one of them has no filter to be asked.
    let filters = 0;
    for (const list of lists) {
      this.lookedAt += list.length;
      for (const candidate of list) {
        if (candidate.filter === undefined) this.add(matched, candidate.endpoint);
        else filters++;
      }
    }
    if (filters > 0) this.addFiltered(matched, lists, event);
    if (matched.length > 1) matched.sort((a, b) => a - b);
    return matched.map((position) => this.endpoints[position] as EndpointSnapshot);
  }

  /** Whether a filter that an event of the type may be asked looks at its data. */
  needsData(type: string): boolean {
    return this.bySelector
      .lookUp(type)
      .some((list) => list.some((candidate) => this.prepare(candidate)?.needsData === true));
  }

  private addFiltered(
    matched: number[],
    lists: readonly (readonly Candidate[])[],
    event: EventSource,
  ): void {
    const open = lists
      .flat()
      .filter((each) => each.filter !== undefined && !this.isMatched(each.endpoint));
    if (open.length === 0) return;
    const document = event(open.some((candidate) => this.prepare(candidate)?.needsData === true));
    for (const candidate of open) {
      if (this.isMatched(candidate.endpoint) || !this.passes(candidate, document)) continue;
      this.add(matched, candidate.endpoint);
    }
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

  private passes(candidate: Candidate, document: Record<string, unknown>): boolean {
    return this.prepare(candidate)?.test(document) ?? true;
  }

  private prepare(candidate: Candidate): PreparedFilter | undefined {
    const { filter } = candidate;
    if (filter === undefined) return undefined;
    if (candidate.prepared !== undefined) return candidate.prepared;
    try {
      candidate.prepared = { test: compileFilter(filter), needsData: filterNeedsData(filter) };
    } catch (error) {
      // Thrown on, it would stop the tenant's other subscriptions too, at every event.
      candidate.prepared = { test: () => false, needsData: false };
      this.options.onFaultyFilter?.(candidate.subscriptionId, error);
    }
    return candidate.prepared;
  }
}
