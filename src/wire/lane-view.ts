import { firstClassOf } from './frames/delivery-frame.ts';
import type { EventHead } from './frames/event-frame.ts';
import type { DeliveryClass } from './subjects.ts';

/** Which tenants have their own lane now, as far as this process knows. */
export interface LaneView {
  has: (tenant: string) => boolean;
}

/** The class of subjects of a new delivery; high priority overtakes all lanes (IN-11). */
export function classFor(
  lanes: LaneView,
  tenant: string,
  event: Pick<EventHead, 'priority'>,
): DeliveryClass {
  const shared = firstClassOf(event);
  return shared === 's' && lanes.has(tenant) ? 't' : shared;
}
