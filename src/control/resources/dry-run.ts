import { explainSelection } from '#domain/event/explain-match.ts';
import type { DryRun, DryRunResult } from '#wire/api/subscription.ts';
import { checkFilter } from './subscription-filter.ts';

/**
 * Says whether a subscription would get an event (CT-3). The event is as a filter sees it: its attributes
 * and its `data`; what the platform would add (`id`, `source`, `time`) is there only where the sample has it.
 *
 * @throws PosthornError POSTHORN_FILTER_INVALID
 */
export function dryRunSubscription(body: DryRun): DryRunResult {
  checkFilter(body.filter);
  const { event, event_types: eventTypes = ['*'], filter } = body;
  const reason = explainSelection({ eventTypes, filter }, event.type, event);
  return { matched: reason === 'matched', reason };
}
