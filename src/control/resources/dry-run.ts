import { explainSelection } from '#domain/event/explain-match.ts';
import type { DryRun, DryRunResult } from '#wire/api/subscription.ts';
import { checkFilter } from './subscription-filter.ts';

/**
 * Tells whether a subscription would match an event (CT-3). Filters see the attributes and `data`
 * of the sample. The platform's own attributes (`id`, `source`, `time`) are present only if the
 * sample has them.
 *
 * @throws PosthornError POSTHORN_FILTER_INVALID
 */
export function dryRunSubscription(body: DryRun): DryRunResult {
  checkFilter(body.filter);
  const { event, event_types: eventTypes = ['*'], filter } = body;
  const reason = explainSelection({ eventTypes, filter }, event.type, event);
  return { matched: reason === 'matched', reason };
}
