/**
 * Why an endpoint gets an event, or not (RT-9), read one subscription after the other. What the router decides by is
 * its index; a property test holds the two against each other.
 */
import type { EndpointState } from '../endpoint/endpoint.ts';
import { selectorMatches } from './event-type.ts';
import { type CompiledFilter, compileFilter } from '../filter/compile-filter.ts';
import { filterNeedsData } from '../filter/needs-data.ts';

/** What decides of one subscription: all of it `matched`, the part that did not, or a filter that does not compile. */
export const subscriptionReasons = ['matched', 'event_type', 'filter', 'filter_faulty'] as const;
export type SubscriptionReason = (typeof subscriptionReasons)[number];

/** What decides of an endpoint. One that is paused or disabled is owed the event: its delivery is held. */
export const endpointReasons = [
  ...subscriptionReasons,
  'no_subscription',
  'endpoint_paused',
  'endpoint_disabled',
] as const;
export type EndpointReason = (typeof endpointReasons)[number];

/** Which events a subscription is for. */
export interface Selection {
  eventTypes: readonly string[];
  /** Absent: no condition on the content. */
  filter?: Record<string, unknown> | undefined;
}

/** A tenant, or some of its endpoints; subscriptions of others are passed over. */
export interface ExplainedTenant {
  endpoints: readonly { id: string; state: EndpointState }[];
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
 * For each endpoint, in the order given, what decides, and what of each of its subscriptions. Lazily: undefined comes
 * after each filter that an endpoint has, so that the caller may let others have the thread. One filter may take a tenth
 * of a second, and an endpoint have thousands.
 *
 * @param type of the event
 * @param event as filters see it; `data` may be left out where `explanationNeedsData` says so
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

/** Whether a filter that an event of the type is asked looks at its `data`. */
export function explanationNeedsData(tenant: ExplainedTenant, type: string): boolean {
  const ids = new Set(tenant.endpoints.map(({ id }) => id));
  return tenant.subscriptions.some(
    (each) =>
      ids.has(each.endpointId) &&
      each.filter !== undefined &&
      selects(each, type) &&
      looksAtData(each.filter),
  );
}

/**
 * What decides of one subscription.
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

/** False for a stored filter that does not compile: it is `filter_faulty` whatever the data. */
function looksAtData(filter: Record<string, unknown>): boolean {
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

function reasonOfState(state: EndpointState): EndpointReason {
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

/** The part that came nearest to a match. */
function reasonOfNone(reasons: readonly SubscriptionReason[]): EndpointReason {
  if (reasons.length === 0) return 'no_subscription';
  // First: it is a fault, and might have matched.
  if (reasons.includes('filter_faulty')) return 'filter_faulty';
  return reasons.includes('filter') ? 'filter' : 'event_type';
}
