import { selectorMatches } from '#domain/event-type.ts';
import { compileFilter } from '#domain/filter/compile-filter.ts';
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
  const { event } = body;
  const selectors = body.event_types ?? ['*'];
  if (!selectors.some((selector) => selectorMatches(selector, event.type))) {
    return { matched: false, reason: 'event_type' };
  }
  if (body.filter !== undefined && !compileFilter(body.filter)(event)) {
    return { matched: false, reason: 'filter' };
  }
  return { matched: true, reason: 'matched' };
}
