import { bucketStartMs } from '#domain/metrics/granularity.ts';
import type { MetricFamily } from '#domain/metrics/metric-row.ts';
import type { HistoryRecord } from '#wire/frames/record.ts';

/** The minute of a tenant about which a batch has records. */
export interface ChangedMinute {
  family: MetricFamily;
  /** Life id. */
  tenant: string;
  startMs: number;
  /** Endpoints of the records; empty for events. */
  endpoints: Set<string>;
}

/**
 * Collects the minutes whose figures a batch of the projector changes. Events and deliveries count
 * in the minute in which the event was accepted, attempts in the one in which they began. Both
 * times never change, so a record always belongs to the same minute.
 */
export class ChangedCells {
  private readonly minutes = new Map<string, ChangedMinute>();

  addEvent(tenant: string, acceptedMs: number): void {
    this.minute('events', tenant, acceptedMs);
  }

  addRecord(record: HistoryRecord): void {
    switch (record.k) {
      case 'routed': {
        this.minute('events', record.tenant, record.acceptedMs);
        if (record.deliveries.length === 0) return;
        const { endpoints } = this.minute('deliveries', record.tenant, record.acceptedMs);
        for (const { endpoint } of record.deliveries) endpoints.add(endpoint);
        return;
      }
      case 'delivery': {
        const { tenant, endpoint, acceptedMs, attempt } = record;
        this.minute('deliveries', tenant, acceptedMs).endpoints.add(endpoint);
        if (attempt === undefined) return;
        this.minute('attempts', tenant, attempt.startedMs).endpoints.add(endpoint);
        return;
      }
      case 'endpoint-gone':
    }
  }

  all(): ChangedMinute[] {
    return [...this.minutes.values()];
  }

  private minute(family: MetricFamily, tenant: string, ms: number): ChangedMinute {
    const startMs = bucketStartMs('1m', ms);
    const key = `${family}/${tenant}/${startMs}`;
    let minute = this.minutes.get(key);
    if (minute === undefined) {
      this.minutes.set(key, (minute = { family, tenant, startMs, endpoints: new Set() }));
    }
    return minute;
  }
}
