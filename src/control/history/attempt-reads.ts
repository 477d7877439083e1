/** Reads the attempts of deliveries, each of one life of its tenant. */
import type { DeliveryDocument, History } from '#infra/mongo/documents.ts';
import type { AttemptDocument } from '#infra/mongo/history/attempts.ts';
import type { AttemptResource } from '#wire/api/delivery.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';

export interface AttemptReadDeps {
  history: Pick<History, 'attempts'>;
  config: Pick<ConfigView, 'eventType'>;
}

/**
 * Returns the attempts of a delivery in the order in which they were made.
 * `limits.attemptsMax` bounds them.
 */
export async function attemptsOfDelivery(
  { history: { attempts }, config }: AttemptReadDeps,
  delivery: DeliveryDocument,
): Promise<AttemptResource[]> {
  const stored = Object.values(delivery.attempts ?? {});
  const inDelivery = stored.filter((attempt) => typeof attempt !== 'number');
  const documents = await attempts
    .find({ delivery: delivery._id, tenant: delivery.tenant })
    .toArray();
  const shown = [...inDelivery.map(recordToResource), ...documents.map(documentToResource)];
  const isHidden = config.eventType(delivery.type)?.sensitive === true;
  return (isHidden ? shown.map(hideResponse) : shown).sort(
    (a, b) => a.number - b.number || a.started_at.localeCompare(b.started_at),
  );
}

type Response = Pick<
  AttemptResource,
  'response_headers' | 'response_body' | 'response_body_encoding'
>;

/** Hides the response to an event of a sensitive type: a receiver may echo the data. */
export function hideResponse<T extends Response>(attempt: T): T {
  return { ...attempt, response_headers: {}, response_body: null, response_body_encoding: null };
}

/** Returns an attempt in its form in the API. */
export function recordToResource(attempt: AttemptRecord): AttemptResource {
  return {
    id: attempt.id,
    number: attempt.no,
    started_at: new Date(attempt.startedMs).toISOString(),
    duration_ms: attempt.durationMs,
    response_status: attempt.status ?? null,
    failure: attempt.failure ?? null,
    detail: attempt.detail ?? null,
    repeated_at:
      attempt.repeatedMs === undefined ? null : new Date(attempt.repeatedMs).toISOString(),
    response_headers: attempt.responseHeaders ?? {},
    response_body: attempt.responseBody ?? null,
    response_body_encoding: attempt.responseBodyEncoding ?? null,
    worker: attempt.worker,
  };
}

function documentToResource(attempt: AttemptDocument): AttemptResource {
  return {
    id: attempt._id,
    number: attempt.no,
    started_at: attempt.started_at.toISOString(),
    duration_ms: attempt.duration_ms,
    response_status: attempt.response_status ?? null,
    failure: attempt.failure ?? null,
    detail: attempt.detail ?? null,
    repeated_at: attempt.repeated_at?.toISOString() ?? null,
    response_headers: attempt.response_headers ?? {},
    response_body: attempt.response_body ?? null,
    response_body_encoding: attempt.response_body_encoding ?? null,
    worker: attempt.worker,
  };
}
