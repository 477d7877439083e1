/**
 * A request of control to the worker that owns a shard (DL-16): to act on the head of an ordered
 * endpoint's queue. JSON over core NATS, answered once the result is stored.
 */
export interface OrderedAction {
  tenant: string;
  endpoint: string;
  /** Delivery id. */
  delivery: string;
  what: 'now' | 'cancel';
}

/** `not_waiting`: the delivery is not the head of its queue, or is being attempted. */
export type OrderedActionResult = 'done' | 'not_waiting' | 'failed';

/** The text of a request to the worker that owns the queue. */
export function encodeOrderedAction(action: OrderedAction): string {
  return JSON.stringify(action);
}

/** @throws SyntaxError if the text is not an action */
export function decodeOrderedAction(text: string): OrderedAction {
  const action = JSON.parse(text) as Partial<OrderedAction> | null;
  const { tenant, endpoint, delivery, what } = action ?? {};
  if (tenant === undefined || endpoint === undefined || delivery === undefined) {
    throw new SyntaxError('an action names tenant, endpoint and delivery');
  }
  if (what !== 'now' && what !== 'cancel') throw new SyntaxError('an action is now or cancel');
  return { tenant, endpoint, delivery, what };
}
