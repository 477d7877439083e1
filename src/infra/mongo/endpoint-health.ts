/** The known health of each endpoint, and the operational events that are still to be published. */
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
  /** The first failure after the last known success; null while attempts succeed. */
  failing_since: Date | null;
  /** The last notification about the failing time since `episode`; null: none yet. */
  told?: { episode: Date; level: number; at: Date } | null;
}

/** Written in one step with the state it reports, then published and deleted. */
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

/** The collections of endpoint health in a database. */
export function healthStoreOf(db: Db): HealthStore {
  return { health: db.collection('endpoint_health'), outbox: db.collection('operational_events') };
}

const KEPT_SECONDS = 400 * 24 * 3600;

/**
 * Creates the indexes; idempotent. The health of an endpoint without attempts for 400 days expires.
 */
export async function ensureHealthIndexes(db: Db): Promise<void> {
  const { health, outbox } = healthStoreOf(db);
  await health.createIndex({ last_attempt_at: 1 }, { expireAfterSeconds: KEPT_SECONDS });
  // Contains only endpoints that fail now.
  await health.createIndex(
    { failing_since: 1 },
    { partialFilterExpression: { failing_since: { $type: 'date' } } },
  );
  await outbox.createIndex({ at: 1, _id: 1 });
  // For the deletion of a tenant.
  await health.createIndex({ tenant: 1 });
  await outbox.createIndex({ tenant: 1 });
}
