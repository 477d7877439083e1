import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { ConfigView, EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { EventFrame } from '#wire/frames/event-frame.ts';
import { PARTITIONS, partitionOf } from '#wire/subjects.ts';
import { eventForFilter, isBuiltInTurns } from '#wire/published/event-for-filter.ts';
import { parseDataInSlices } from '#infra/parse-data-in-slices.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import type { FaultyFilters } from '../faulty-filters.ts';
import { type EventSource, type StepBudget, SubscriptionIndex } from '../subscription-index.ts';

/** Tenants matched before the event loop runs other work. */
const AT_ONCE = 100;
/** Filter steps of one tenant at a time; takes some milliseconds. */
const STEPS_AT_ONCE = 200_000;

/** A tenant that gets a copy of the broadcast, and how many of its endpoints match. */
export interface Stop {
  /** Life id. */
  tenant: string;
  endpoints: number;
}

export interface Tenants {
  config: Pick<ConfigView, 'tenant'>;
  /** Life ids of all tenants. */
  lifeIds: () => Iterable<string>;
  faultyFilters: FaultyFilters;
  clock: Clock;
}

/**
 * Lists the tenants with an approved subscription that matches the event, in the order of the walk:
 * by partition, then by id. Every process computes the same order, whichever tenants were created
 * or deleted in between, so a position in it can be stored and resumed from.
 *
 * The index of each tenant is dropped after its match: keeping all of them would hold the whole
 * configuration in memory twice.
 *
 * @param after the last finished tenant; absent: none
 */
export async function planStops(
  tenants: Tenants,
  event: EventFrame,
  after: string | undefined,
): Promise<Stop[]> {
  const byPartition: Stop[][] = Array.from({ length: PARTITIONS }, () => []);
  const built = isBuiltInTurns(event)
    ? { value: await parseDataInSlices(new JsonTurns(), '', event.data, 'all') }
    : undefined;
  let parsed: Record<string, unknown> | undefined;
  const document = (): Record<string, unknown> =>
    (parsed ??= eventForFilter(event, () => 'all', built));
  let planned = 0;
  for (const id of tenants.lifeIds()) {
    if (++planned % AT_ONCE === 0) await setImmediate();
    if (after !== undefined && compareStops(id, after) <= 0) continue;
    const snapshot = tenants.config.tenant(id);
    if (snapshot === undefined || snapshot.subscriptions.length === 0) continue;
    const { length: endpoints } = await matchInTurns(
      new SubscriptionIndex(snapshot, tenants.faultyFilters, tenants.clock),
      event.head.type,
      document,
    );
    if (endpoints > 0) byPartition[partitionOf(id)]?.push({ tenant: id, endpoints });
  }
  return byPartition.flatMap((stops) => stops.sort((a, b) => compareStops(a.tenant, b.tenant)));
}

async function matchInTurns(
  index: SubscriptionIndex,
  type: string,
  document: EventSource,
): Promise<EndpointSnapshot[]> {
  let found = index.match(type, document, newBudget());
  while (!Array.isArray(found)) {
    await setImmediate();
    found = found.resume(newBudget()) ?? found;
  }
  return found;
}

function newBudget(): StepBudget {
  return { steps: 0, stepsMax: STEPS_AT_ONCE, compileSteps: 0 };
}

/**
 * Negative: `a` comes before `b` in the walk. All lives of a tenant share one position, so a tenant
 * that is created again behind the walk does not get a second copy.
 */
export function compareStops(a: string, b: string): number {
  const partitions = partitionOf(a) - partitionOf(b);
  if (partitions !== 0) return partitions;
  const [x, y] = [tenantIdOf(a), tenantIdOf(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}
