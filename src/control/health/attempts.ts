import type { LastFailure } from '#infra/mongo/endpoint-health.ts';
import { isReplay } from '#wire/frames/delivery-frame.ts';
import type { AttemptRecord, DeliveryRecord, HistoryRecord } from '#wire/frames/record.ts';

/** The attempts of a batch of records to one endpoint. */
export interface EndpointAttempts {
  tenant: string;
  lastAttemptMs: number;
  lastSuccessMs: number | undefined;
  failuresMs: number[];
  lastFailure: AttemptRecord | undefined;
}

/**
 * Groups the attempts of a batch of records by endpoint, so that each endpoint's health is written
 * once.
 */
export class AttemptsByEndpoint {
  readonly byEndpoint = new Map<string, EndpointAttempts>();

  add(record: HistoryRecord): void {
    // A delivery that is sent again says nothing about how the endpoint takes live ones.
    if (record.k !== 'delivery' || record.attempt === undefined || isReplay(record)) return;
    this.addAttempt(record, record.attempt);
  }

  private addAttempt({ tenant, endpoint }: DeliveryRecord, attempt: AttemptRecord): void {
    let known = this.byEndpoint.get(endpoint);
    if (known === undefined) {
      known = {
        tenant,
        lastAttemptMs: 0,
        lastSuccessMs: undefined,
        failuresMs: [],
        lastFailure: undefined,
      };
      this.byEndpoint.set(endpoint, known);
    }
    const { startedMs } = attempt;
    known.lastAttemptMs = Math.max(known.lastAttemptMs, startedMs);
    if (attempt.failure === undefined) {
      known.lastSuccessMs = Math.max(known.lastSuccessMs ?? 0, startedMs);
      return;
    }
    known.failuresMs.push(startedMs);
    if (startedMs >= (known.lastFailure?.startedMs ?? 0)) known.lastFailure = attempt;
  }
}

/** Returns the time of the first failure after the last success of the batch. */
export function firstFailureMs(attempts: EndpointAttempts): number | undefined {
  const after = attempts.lastSuccessMs ?? -1;
  let first: number | undefined;
  for (const ms of attempts.failuresMs) {
    if (ms > after && ms < (first ?? Number.POSITIVE_INFINITY)) first = ms;
  }
  return first;
}

/** Returns the newest failed attempt in its stored form; null if none failed. */
export function lastFailureOf(attempts: EndpointAttempts): LastFailure | null {
  const { lastFailure } = attempts;
  if (lastFailure === undefined) return null;
  return {
    at: new Date(lastFailure.startedMs),
    failure: lastFailure.failure ?? null,
    status: lastFailure.status ?? null,
    detail: lastFailure.detail ?? null,
  };
}
