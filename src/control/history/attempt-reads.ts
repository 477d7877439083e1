/** Reads the attempts of deliveries, each of one life of its tenant. */
import type { DeliveryDocument, History } from '#infra/mongo/documents.ts';
import type { AttemptDocument } from '#infra/mongo/history/attempts.ts';
import type { AttemptResource } from '#wire/api/delivery.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';

/**
 * Returns the attempts of a delivery in the order in which they were made.
 * `limits.attemptsMax` bounds them.
 */
export async function attemptsOfDelivery(
  { attempts }: Pick<History, 'attempts'>,
  delivery: DeliveryDocument,
): Promise<AttemptResource[]> {
  const stored = Object.values(delivery.attempts ?? {});
  const inDelivery = stored.filter((attempt) => typeof attempt !== 'number');
  const documents = await attempts
    .find({ delivery: delivery._id, tenant: delivery.tenant })
    .toArray();
  return [...inDelivery.map(recordToResource), ...documents.map(documentToResource)].sort(
    (a, b) => a.number - b.number || a.started_at.localeCompare(b.started_at),
  );
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
