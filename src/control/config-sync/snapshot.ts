import type {
  ApiKeyDocument,
  EndpointDocument,
  EventTypeDocument,
  SubscriptionDocument,
  TenantDocument,
} from '#infra/mongo/configuration.ts';
import { credentialSnapshot } from '../credentials/endpoint-credentials.ts';
import { policySnapshot } from '../resources/endpoint-policies.ts';
import { rateSnapshot } from '../resources/stored-rate.ts';
import type {
  ApiKeySnapshot,
  EndpointSnapshot,
  EventTypeSnapshot,
  SubscriptionSnapshot,
  TenantSnapshot,
} from '#wire/config-snapshot.ts';

export interface TenantParts {
  tenant: TenantDocument;
  endpoints: EndpointDocument[];
  subscriptions: SubscriptionDocument[];
}

/** Builds a tenant's snapshot for the data plane; omits resources that are not in force. */
export function tenantSnapshot(parts: TenantParts, nowMs: number): TenantSnapshot {
  const { tenant, endpoints, subscriptions } = parts;
  const snapshot: TenantSnapshot = {
    v: 1,
    id: tenant._id,
    rev: tenant.config_rev,
    weight: tenant.weight,
    endpoints: endpoints.map((endpoint) => endpointSnapshot(endpoint, nowMs)),
    subscriptions: subscriptions
      .filter((subscription) => subscription.status === 'APPROVED')
      .map(subscriptionSnapshot),
  };
  if (tenant.life !== undefined) snapshot.life = tenant.life;
  if (typeof tenant.in_flight_max === 'number') snapshot.inFlightMax = tenant.in_flight_max;
  if (tenant.event_type_policy !== null) snapshot.eventTypePolicy = tenant.event_type_policy;
  const rateLimit = rateSnapshot(tenant.rate_limit);
  if (rateLimit !== undefined) snapshot.rateLimit = rateLimit;
  return snapshot;
}

function endpointSnapshot(endpoint: EndpointDocument, nowMs: number): EndpointSnapshot {
  const snapshot: EndpointSnapshot = {
    id: endpoint._id,
    url: endpoint.url,
    state: endpoint.state,
    format: endpoint.format,
    ...credentialSnapshot(endpoint),
    secrets: endpoint.secrets
      .filter((secret) => secret.not_after === null || secret.not_after.getTime() > nowMs)
      .map(({ sealed, not_after }) =>
        not_after === null ? { sealed } : { sealed, notAfterMs: not_after.getTime() },
      ),
  };
  if (endpoint.state_reason !== null) snapshot.stateReason = endpoint.state_reason;
  const origin = endpoint.verification?.origin;
  if (origin !== undefined) snapshot.requestOrigin = origin;
  if (endpoint.poll !== undefined) {
    const { lease_seconds, leases_max, max_age_seconds } = endpoint.poll;
    snapshot.poll = {
      leaseSeconds: lease_seconds,
      leasesMax: leases_max,
      maxAgeSeconds: max_age_seconds,
    };
  }
  return { ...snapshot, ...policySnapshot(endpoint) };
}

function subscriptionSnapshot(subscription: SubscriptionDocument): SubscriptionSnapshot {
  const snapshot: SubscriptionSnapshot = {
    id: subscription._id,
    endpointId: subscription.endpoint_id,
    eventTypes: subscription.event_types,
  };
  if (subscription.filter !== null) {
    snapshot.filter = JSON.parse(subscription.filter) as Record<string, unknown>;
  }
  return snapshot;
}

/** Builds the value of an event type in the bucket CONFIG. */
export function eventTypeSnapshot(type: EventTypeDocument): EventTypeSnapshot {
  const snapshot: EventTypeSnapshot = {
    v: 1,
    name: type._id,
    rev: type.revision,
    state: type.status,
    sensitive: type.sensitive,
  };
  if (type.priority === 'high') snapshot.priority = 'high';
  if (type.deduplication) {
    const { fields, window_seconds: windowSeconds } = type.deduplication;
    const { born_at: bornAt } = type;
    snapshot.deduplication = { fields, windowSeconds, ...(bornAt && { bornAt }) };
  }
  const schema = type.versions.at(-1)?.schema ?? null;
  if (schema !== null) snapshot.schema = JSON.parse(schema) as Record<string, unknown>;
  return snapshot;
}

/**
 * Builds the value of an API key in the bucket CONFIG. Undefined for a revoked key: it is not in
 * the bucket.
 */
export function apiKeySnapshot(key: ApiKeyDocument): ApiKeySnapshot | undefined {
  if (key.revoked_at !== null) return undefined;
  const snapshot: ApiKeySnapshot = { v: 1, id: key.id, rev: key.revision, scope: key.scope };
  if (key.capabilities !== undefined) snapshot.capabilities = key.capabilities;
  if (key.tenant !== null) snapshot.tenant = key.tenant;
  if (key.life !== undefined) snapshot.life = key.life;
  if (key.expires_at !== null) snapshot.expiresAtMs = key.expires_at.getTime();
  const rateLimit = rateSnapshot(key.rate_limit);
  if (rateLimit !== undefined) snapshot.rateLimit = rateLimit;
  return snapshot;
}
