/** The items that a plan lists, and the actions of its replay on each of them (CT-6, CT-18). */

/**
 * `replay`: send again. `cancel`: cancel the waiting or held delivery. `release`: send the held
 * delivery although its endpoint is not active. `discard`: discard the dead letter.
 */
export const planActions = ['replay', 'cancel', 'release', 'discard'] as const;
export type PlanAction = (typeof planActions)[number];

/**
 * `event`, `range`, `failed`, `held`: deliveries of events, by filter, with this status. `missed`:
 * events that an endpoint did not get. `unmatched`: events that matched nothing, and match now.
 */
export const planKinds = [
  'event',
  'range',
  'missed',
  'failed',
  'dead_letters',
  'unmatched',
  'held',
] as const;
export type PlanKind = (typeof planKinds)[number];

/** The kinds that each action accepts. */
export const kindsOfAction: Readonly<Record<PlanAction, readonly PlanKind[]>> = {
  replay: ['event', 'range', 'missed', 'failed', 'dead_letters', 'unmatched'],
  cancel: ['event', 'range', 'held'],
  release: ['held'],
  discard: ['dead_letters'],
};

/** The filters that each kind accepts. */
export const filtersOfKind: Readonly<Record<PlanKind, readonly string[]>> = {
  event: ['event_id', 'endpoint_id', 'status'],
  range: ['endpoint_id', 'event_type', 'status', 'accepted_at'],
  missed: ['endpoint_id', 'event_type', 'accepted_at'],
  failed: ['endpoint_id', 'event_type', 'reason', 'accepted_at'],
  dead_letters: ['endpoint_id', 'event_type', 'reason', 'cause', 'failed_at'],
  unmatched: ['endpoint_id', 'event_type', 'accepted_at'],
  held: ['endpoint_id', 'event_type', 'reason', 'accepted_at'],
};

/** The filters without which a kind makes no sense. */
export const filtersRequiredByKind: Readonly<Partial<Record<PlanKind, string>>> = {
  event: 'event_id',
  missed: 'endpoint_id',
};
