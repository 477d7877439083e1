/**
 * Matches events of the history with the current subscriptions of their tenant, as the router would
 * match them now.
 */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import {
  explainMatch,
  type ExplainedTenant,
  explanationNeedsData,
} from '#domain/event/explain-match.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import type { EventDocument } from '#infra/mongo/documents.ts';
import { parseDataInSlices } from '#infra/parse-data-in-slices.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { ConfigView, TenantSnapshot } from '#wire/config-snapshot.ts';
import { eventForFilter, isBuiltInTurns, isDataSeen } from '#wire/published/event-for-filter.ts';
import { filterableEvent } from '../history/filterable-event.ts';

/** Filters may be many and expensive: after this time, yield to the event loop. */
const AT_ONCE_MS = 5;

export interface CurrentMatchesDeps {
  config: Pick<ConfigView, 'tenant'>;
  payloads: Pick<PayloadStore, 'get'>;
  clock: Clock;
}

export class CurrentMatches {
  private readonly deps: CurrentMatchesDeps;
  private readonly turns = new JsonTurns();
  /** Monotonic milliseconds at which the event loop gets its next turn. */
  private pauseMs = 0;

  constructor(deps: CurrentMatchesDeps) {
    this.deps = deps;
  }

  /**
   * Returns the ids of the endpoints that the event matches, among those given.
   *
   * @param among absent: all endpoints of the tenant
   * @returns `payload_missing` if a filter reads `data` that was removed
   * @throws if NATS does not answer
   */
  async of(
    event: EventDocument,
    among: readonly string[] | undefined,
  ): Promise<string[] | 'payload_missing'> {
    const snapshot = this.deps.config.tenant(event.tenant);
    if (snapshot === undefined) return [];
    const { type = '' } = event;
    const explained = partOf(snapshot, among);
    const needsData = explanationNeedsData(explained, type);
    const data = needsData ? await this.dataOf(event) : undefined;
    if (data === null) return 'payload_missing';
    const view = await this.view(event, data);
    const matched: string[] = [];
    for (const each of explainMatch(explained, type, view)) {
      if (each?.matched === true) matched.push(each.endpointId);
      await this.yieldNow();
    }
    return matched;
  }

  /** Null: it was removed. */
  private async dataOf(event: EventDocument): Promise<string | Buffer | undefined | null> {
    const { payload } = event;
    if (payload === undefined) return event.data;
    if (!isDataSeen(payload.size)) return undefined;
    return (await this.deps.payloads.get(payload.key))?.bytes ?? null;
  }

  private async view(
    event: EventDocument,
    data: string | Buffer | undefined,
  ): Promise<Record<string, unknown>> {
    const seen = filterableEvent(event, data);
    if (data === undefined || !isBuiltInTurns(seen)) return eventForFilter(seen);
    const value = await parseDataInSlices(this.turns, event.tenant, Buffer.from(data), 'all');
    return eventForFilter(seen, () => 'all', { value });
  }

  private async yieldNow(): Promise<void> {
    const { clock } = this.deps;
    if (clock.monotonicMs() < this.pauseMs) return;
    await setImmediate();
    this.pauseMs = clock.monotonicMs() + AT_ONCE_MS;
  }
}

function partOf(snapshot: TenantSnapshot, among: readonly string[] | undefined): ExplainedTenant {
  if (among === undefined) return snapshot;
  return {
    endpoints: snapshot.endpoints.filter(({ id }) => among.includes(id)),
    subscriptions: snapshot.subscriptions.filter(({ endpointId }) => among.includes(endpointId)),
  };
}
