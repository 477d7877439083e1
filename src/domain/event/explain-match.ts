/**
 * Explains why an endpoint gets an event, or not (RT-9), one subscription after the other. The
 * router decides by its index; a property test compares the two.
 */
import type { EndpointStatus } from '../endpoint/endpoint.ts';
import { selectorMatches } from './event-type.ts';
import { type CompiledFilter, compileFilter } from '../filter/compile-filter.ts';
import { filterNeedsData } from '../filter/needs-data.ts';

/** The outcome of a subscription: `matched`, the part that failed, or a faulty filter. */
export const subscriptionReasons = ['matched', 'event_type', 'filter', 'filter_faulty'] as const;
export type SubscriptionReason = (typeof subscriptionReasons)[number];

/** The outcome of an endpoint. A paused or disabled one matches: its delivery is held. */
export const endpointReasons = [
  ...subscriptionReasons,
  'no_subscription',
  'endpoint_paused',
  'endpoint_disabled',
] as const;
export type EndpointReason = (typeof endpointReasons)[number];

/** The events that a subscription selects. */
export interface Selection {
  eventTypes: readonly string[];
  /** Absent: no condition on the content. */
  filter?: Record<string, unknown> | undefined;
}

/** A tenant, or some of its endpoints; subscriptions of others are skipped. */
export interface ExplainedTenant {
  endpoints: readonly { id: string; state: EndpointStatus }[];
  /** Approved ones. */
  subscriptions: readonly ExplainedSubscription[];
}

type ExplainedSubscription = Selection & { id: string; endpointId: string };

export interface EndpointExplanation {
  endpointId: string;
  /** At least one subscription matches. */
  matched: boolean;
  reason: EndpointReason;
  subscriptions: { subscriptionId: string; matched: boolean; reason: SubscriptionReason }[];
}

/**
 * Yields for each endpoint, in the order given, its outcome and that of each of its subscriptions.
 * Yields undefined after each evaluated filter, so that the caller can run other work: one filter
 * may take a tenth of a second, and an endpoint may have thousands.
 *
 * @param type of the event
 * @param event as filters see it; `data` may be left out if `explanationNeedsData` is false
 */
export function* explainMatch(
  tenant: ExplainedTenant,
  type: string,
  event: Record<string, unknown>,
): Generator<EndpointExplanation | undefined, void, undefined> {
  const ofEndpoint = Map.groupBy(tenant.subscriptions, ({ endpointId }) => endpointId);
  for (const { id, state } of tenant.endpoints) {
    const subscriptions: EndpointExplanation['subscriptions'] = [];
    for (const subscription of ofEndpoint.get(id) ?? []) {
      const reason = explainSelection(subscription, type, event);
      const matched = reason === 'matched';
      subscriptions.push({ subscriptionId: subscription.id, matched, reason });
      if (subscription.filter !== undefined) yield undefined;
    }
    const matched = subscriptions.some((each) => each.matched);
    const reason = matched
      ? reasonOfState(state)
      : reasonOfNone(subscriptions.map((each) => each.reason));
    yield { endpointId: id, matched, reason, subscriptions };
  }
}

/** Whether a filter evaluated for an event of the type reads its `data`. */
export function explanationNeedsData(tenant: ExplainedTenant, type: string): boolean {
  const ids = new Set(tenant.endpoints.map(({ id }) => id));
  return tenant.subscriptions.some(
    (each) =>
      ids.has(each.endpointId) &&
      each.filter !== undefined &&
      selects(each, type) &&
      readsData(each.filter),
  );
}

/**
 * The outcome of one subscription.
 *
 * @param event as filters see it
 */
export function explainSelection(
  selection: Selection,
  type: string,
  event: Record<string, unknown>,
): SubscriptionReason {
  if (!selects(selection, type)) return 'event_type';
  return selection.filter === undefined ? 'matched' : judge(selection.filter, event);
}

function selects({ eventTypes }: Selection, type: string): boolean {
  return eventTypes.some((selector) => selectorMatches(selector, type));
}

/** False for a filter that does not compile: it is `filter_faulty` for any data. */
function readsData(filter: Record<string, unknown>): boolean {
  try {
    return filterNeedsData(filter);
  } catch {
    return false;
  }
}

function judge(
  filter: Record<string, unknown>,
  event: Record<string, unknown>,
): Exclude<SubscriptionReason, 'event_type'> {
  let passes: CompiledFilter;
  try {
    passes = compileFilter(filter);
  } catch {
    return 'filter_faulty';
  }
  return passes(event) ? 'matched' : 'filter';
}

function reasonOfState(state: EndpointStatus): EndpointReason {
  switch (state) {
    case 'active':
      return 'matched';
    case 'paused':
      return 'endpoint_paused';
    case 'disabled':
      return 'endpoint_disabled';
    default:
      return state satisfies never;
  }
}

/** The part that came closest to a match. */
function reasonOfNone(reasons: readonly SubscriptionReason[]): EndpointReason {
  if (reasons.length === 0) return 'no_subscription';
  // First: it is a fault, and might have matched.
  if (reasons.includes('filter_faulty')) return 'filter_faulty';
  return reasons.includes('filter') ? 'filter' : 'event_type';
}
