import { selectorMatches } from './event-type.ts';

/**
 * Selectors of the event types that a caller sees; undefined: all. `*` does not cover the types of
 * operational events, as in subscriptions.
 */
export type VisibleTypes = readonly string[] | undefined;

export function isVisibleType(visible: VisibleTypes, type: string): boolean {
  return visible === undefined || visible.some((selector) => selectorMatches(selector, type));
}

/** Whether every type that a selector can match is visible. */
export function coversSelector(visible: VisibleTypes, selector: string): boolean {
  if (visible === undefined || visible.includes(selector)) return true;
  if (!selector.endsWith('*')) return isVisibleType(visible, selector);
  if (selector === '*') return false;
  // `order.paid.*`: its shortest type is as visible as all the longer ones.
  return visible.some((each) => each.endsWith('*') && selectorMatches(each, selector));
}
