/** What is known of each endpoint's health, and the operational events that are still to be published. */
import type { Collection, Db } from 'mongodb';
import type { AttemptFailureKind } from '#domain/outcome/delivery.ts';

/** Fields compare in this order: `$max` keeps the newest. */
export interface LastFailure {
  at: Date;
  failure: AttemptFailureKind | null;
  status: number | null;
  detail: string | null;
}

export interface EndpointHealthDocument {
  /** Endpoint id. */
  _id: string;
  /** Life id. */
  tenant: string;
  last_attempt_at: Date;
  last_success_at: Date | null;
  last_failure: LastFailure | null;
  /** The first failure after the last success that is known; null while it does not only fail. */
  failing_since: Date | null;
  /** What was told of the time since `episode` in which it only failed; null: nothing. */
  told?: { episode: Date; level: number; at: Date } | null;
}

/** Written with what it tells of, published and then deleted. */
export interface OperationalEventDocument {
  /** `<life id>/<event id>` */
  _id: string;
  /** Life id. */
  tenant: string;
  id: string;
  type: string;
  /** JSON text. */
  data: string;
  at: Date;
}

export interface HealthStore {
  health: Collection<EndpointHealthDocument>;
  outbox: Collection<OperationalEventDocument>;
}

/** The collections of the health of endpoints in a database. */
export function healthStoreOf(db: Db): HealthStore {
  return { health: db.collection('endpoint_health'), outbox: db.collection('operational_events') };
}

const KEPT_SECONDS = 400 * 24 * 3600;

/** Creates the indexes; idempotent. What is known of an endpoint without attempts for 400 days is forgotten. */
export async function ensureHealthIndexes(db: Db): Promise<void> {
  const { health, outbox } = healthStoreOf(db);
  await health.createIndex({ last_attempt_at: 1 }, { expireAfterSeconds: KEPT_SECONDS });
  // Only those that fail now are in it.
  await health.createIndex(
    { failing_since: 1 },
    { partialFilterExpression: { failing_since: { $type: 'date' } } },
  );
  await outbox.createIndex({ at: 1, _id: 1 });
  // For a tenant that is deleted.
  await health.createIndex({ tenant: 1 });
  await outbox.createIndex({ tenant: 1 });
}
