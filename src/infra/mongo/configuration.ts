/**
 * The documents of the configuration, for which MongoDB is the system of record, and their
 * collections. A tenant's document carries `config_rev`. Every change of the tenant, its endpoints
 * and its subscriptions increments it in the same transaction, which puts the changes of a tenant
 * in one order.
 */
import type { Collection, Db } from 'mongodb';
import type {
  BodyFormat,
  EndpointStatus,
  EndpointStatusReason,
  OnExhausted,
  PayloadMode,
  VerificationMethod,
} from '#domain/endpoint/endpoint.ts';
import type { SubscriptionStatus } from '#domain/endpoint/endpoint.ts';
import type { StoredStatus } from '#domain/stored-status.ts';
import type { CredentialType, TokenAuthMethod } from '#domain/endpoint/outbound-credentials.ts';
import type { Compatibility, EventTypeStatus } from '#domain/event/event-type.ts';
import type { EventTypePolicy, SubscriptionApproval } from '#domain/tenant.ts';
import type { Priority } from '#domain/event/priority.ts';
import type { Capability, KeyScope } from '#domain/capabilities.ts';
import type { PollPolicyFields } from '#wire/api/endpoint/poll-endpoint.ts';

import {
  ensureSessionIndexes,
  SESSION_REVOCATIONS,
  type SessionCollections,
  sessionsOf,
} from './sessions.ts';
import { type IdempotentAnswerDocument, idempotentAnswersOf } from './idempotent-answers.ts';

export interface TenantDocument {
  /** Tenant id. */
  _id: string;
  /** How often it was deleted and created again (`domain/tenant.ts`); absent: 0. */
  life?: number;
  /** Some process may still act for an earlier life (`control/lives/life-views.ts`). */
  unconfirmed?: true;
  name: string | null;
  weight: number;
  /** Null or absent: the tenant has no limit of its own. */
  in_flight_max?: number | null;
  event_type_policy: EventTypePolicy | null;
  /** Absent: none. */
  subscription_approval?: SubscriptionApproval;
  /** Null or absent: none. */
  rate_limit?: StoredRateLimit | null;
  /** Revision of these settings: the ETag. */
  revision: number;
  /** Revision of the tenant's snapshot, which contains all of the tenant. */
  config_rev: number;
  /**
   * Size of its endpoints and subscriptions, counted up to `rev`; valid while that equals
   * `config_rev`.
   */
  size?: TenantSize & { rev: number };
  created_at: Date;
  updated_at: Date;
}

export interface StoredRateLimit {
  per_second: number;
  burst: number;
}

/** Number of documents, and their bytes. */
export interface TenantSize {
  endpoints: number;
  subscriptions: number;
  bytes: number;
}

/** As in the API; null or absent: the platform's default. */
export interface StoredEndpointPolicy {
  retry?: {
    delays_seconds: number[];
    final_statuses: number[];
    retry_after_max_seconds: number;
    /** Absent in documents stored before there was a limit: the platform's default. */
    max_age_seconds?: number;
  } | null;
  timeout_ms?: number | null;
  in_flight_max?: number | null;
  rate_limit?: StoredRateLimit | null;
  /** Absent: false. */
  ordered?: boolean;
  /** Of an ordered endpoint; absent: dead_letter. */
  on_exhausted?: OnExhausted;
  /** Absent: inline. */
  payload?: PayloadMode;
  payload_inline_max_bytes?: number | null;
  /** Absent: false. */
  propagate_trace?: boolean;
  /** Absent: false. */
  sequenced?: boolean;
}

export interface StoredSecret {
  /** Sealed for the endpoint's id (`infra/crypto/secret-box.ts`). */
  sealed: string;
  created_at: Date;
  /** Until when it signs; null: it is the current one. */
  not_after: Date | null;
}

/**
 * The public part, to be shown. The complete credentials are in `sealed`
 * (`wire/sealed-credentials.ts`), and used from there.
 */
export interface StoredCredentials {
  type: CredentialType;
  username?: string;
  token_url?: string;
  client_id?: string;
  scope?: string;
  audience?: string;
  auth_method?: TokenAuthMethod;
  sealed: string;
}

export interface StoredCertificate {
  subject: string;
  issuer: string;
  fingerprint_sha256: string;
  not_before: Date;
  not_after: Date;
  has_ca: boolean;
  sealed: string;
}

export interface StoredEndpointCredentials {
  /** In plain text, as earlier versions stored them; control seals them at its start. */
  headers: Record<string, string>;
  header_names?: string[];
  sealed_headers?: string | null;
  credentials?: StoredCredentials | null;
  client_certificate?: StoredCertificate | null;
}

/** Of an endpoint that a request paused. */
export interface StoredPause {
  reason: string | null;
  paused_at: Date;
  /** When it resumes by itself; null: never. */
  ends_at: Date | null;
}

/** The proof that the receiver agrees to get webhooks. */
export interface StoredVerification {
  method: VerificationMethod;
  /** Null: not yet, and the endpoint is paused. */
  verified_at: Date | null;
  /** Of `cloudevents`: identifies the platform to the receiver. */
  origin?: string;
}

export interface EndpointDocument extends StoredEndpointPolicy, StoredEndpointCredentials {
  /** Endpoint id. */
  _id: string;
  tenant: string;
  url: string;
  state: EndpointStatus;
  state_reason: EndpointStatusReason | null;
  /** Null or absent: none. */
  pause?: StoredPause | null;
  /** Null or absent: none is required. */
  verification?: StoredVerification | null;
  /** It is polled: it has no URL and no secrets. Absent: webhooks are sent to its URL. */
  poll?: PollPolicyFields;
  format: BodyFormat;
  description: string | null;
  /** Null or absent: the platform's default. */
  disable_after_seconds?: number | null;
  /**
   * When it was activated or got its URL; absent: when it was created. Earlier failures do not
   * count.
   */
  health_since?: Date;
  /** Newest first. */
  secrets: StoredSecret[];
  revision: number;
  created_at: Date;
  updated_at: Date;
}

export interface SubscriptionDocument {
  /** Subscription id. */
  _id: string;
  tenant: string;
  endpoint_id: string;
  event_types: string[];
  /** JSON text: field names with `$` and dots are troublesome in MongoDB. */
  filter: string | null;
  status: StoredStatus<SubscriptionStatus>;
  revision: number;
  created_at: Date;
  updated_at: Date;
}

export interface EventTypeVersion {
  version: number;
  /** JSON text of the schema; null: any data. */
  schema: string | null;
  created_at: Date;
}

export interface EventTypeDocument {
  /** Name. */
  _id: string;
  description: string | null;
  status: StoredStatus<EventTypeStatus>;
  sensitive: boolean;
  /** Absent in older documents: normal. */
  priority?: Priority;
  producer_domain: string | null;
  /** Absent: none. */
  compatibility?: Compatibility;
  /** Null or absent: none. */
  deduplication?: { fields: string[]; window_seconds: number } | null;
  /** JSON text of a list: names of members with `$` and dots are troublesome. Absent: none. */
  samples?: string;
  /** Null or absent: it is not deprecated. */
  deprecation?: { deprecated_at: Date; ends_at: Date | null; successor: string | null } | null;
  /** Its first revision; absent: 1. */
  born_at?: number;
  /** True only in documents that an earlier version registered at their first event. */
  auto: boolean;
  /** Oldest first; the last one is in force. */
  versions: EventTypeVersion[];
  revision: number;
  created_at: Date;
  updated_at: Date;
}

/** An unregistered type that events of a tenant use. */
export interface AutomaticEventTypeDocument {
  /** `<life id>/<name>` */
  _id: string;
  /** Life id. */
  tenant: string;
  name: string;
  /** Its slot in the tenant's share, from 0; unique in the tenant. */
  place: number;
  /** Id of the unbound API key whose event used it first. Absent: a key of the tenant. */
  producer_key?: string;
  first_seen_at: Date;
  last_seen_at: Date;
}

/** The one document that removed event types leave behind. */
export interface EventTypeEndDocument {
  _id: 'revision';
  /** Higher than every revision of a removed type. */
  revision: number;
}

/** Tickets that serialise changes of a resource (`control/turns/mongo-tickets.ts`). */
export interface ChangeTurnDocument {
  /** Key of the changed resource. */
  _id: string;
  /** The last ticket number drawn. */
  taken: number;
  /** The ticket number whose turn it is. */
  served: number;
  /** When a ticket was last drawn. */
  at: Date;
}

export interface ApiKeyDocument {
  /** SHA-256 of the key, in hex: the key itself is not kept. */
  _id: string;
  /** Key id. */
  id: string;
  scope: KeyScope;
  /** Absent: all that the scope allows. */
  capabilities?: Capability[];
  tenant: string | null;
  /** The tenant's life in which it was created; absent: 0. */
  life?: number;
  name: string | null;
  /** Id of the key that a rotation created in its place. */
  replaced_by?: string;
  revision: number;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  /** Null or absent: none. */
  rate_limit?: StoredRateLimit | null;
}

/** When an API key was last used: apart from the key, whose changes every process watches. */
export interface ApiKeyUseDocument {
  /** Key id. */
  _id: string;
  last_used_at: Date;
}

/** Data of one life of a deleted tenant, still to be removed. */
export interface TenantPurgeDocument {
  /** Life id. */
  _id: string;
  deleted_at: Date;
  /** When the purge runs next; absent: now. */
  next_at?: Date;
}

/**
 * Kept forever of a deleted tenant: a tenant that is created under its id must differ from it in
 * each of these.
 */
export interface TenantTombstoneDocument {
  /** Tenant id. */
  _id: string;
  /** Its last life. */
  life: number;
  revision: number;
  config_rev: number;
  deleted_at: Date;
}

export interface Configuration extends SessionCollections {
  tenants: Collection<TenantDocument>;
  endpoints: Collection<EndpointDocument>;
  subscriptions: Collection<SubscriptionDocument>;
  eventTypes: Collection<EventTypeDocument>;
  automaticEventTypes: Collection<AutomaticEventTypeDocument>;
  eventTypeEnds: Collection<EventTypeEndDocument>;
  changeTurns: Collection<ChangeTurnDocument>;
  apiKeys: Collection<ApiKeyDocument>;
  apiKeyUses: Collection<ApiKeyUseDocument>;
  tenantPurges: Collection<TenantPurgeDocument>;
  tenantTombstones: Collection<TenantTombstoneDocument>;
  idempotentAnswers: Collection<IdempotentAnswerDocument>;
}

/** Names of the collections whose changes update keys of the bucket CONFIG. */
export const watchedCollections = [
  'tenants',
  'event_types',
  'api_keys',
  SESSION_REVOCATIONS,
] as const;

/** The collections of the configuration in a database. */
export function configurationOf(db: Db): Configuration {
  return {
    tenants: db.collection('tenants'),
    endpoints: db.collection('endpoints'),
    subscriptions: db.collection('subscriptions'),
    eventTypes: db.collection('event_types'),
    automaticEventTypes: db.collection('automatic_event_types'),
    eventTypeEnds: db.collection('event_type_ends'),
    // A write that an election rolls back costs one write conflict.
    changeTurns: db.collection('change_turns', { writeConcern: { w: 1 } }),
    apiKeys: db.collection('api_keys'),
    apiKeyUses: db.collection('api_key_uses'),
    ...sessionsOf(db),
    tenantPurges: db.collection('tenant_purges'),
    tenantTombstones: db.collection('tenant_tombstones'),
    idempotentAnswers: idempotentAnswersOf(db),
  };
}

/** How long an automatic event type is kept after its last event was seen. */
export const AUTOMATIC_TYPE_KEPT_SECONDS = 30 * 24 * 3600;
const CHANGE_TURN_KEPT_SECONDS = 3600;
const REVOKED_KEY_KEPT_SECONDS = 90 * 24 * 3600;
/** A use that is older says nothing that the age of the key does not say. */
const KEY_USE_KEPT_SECONDS = 400 * 24 * 3600;

/** Creates the indexes of the configuration; idempotent. */
export async function ensureConfigurationIndexes(db: Db): Promise<void> {
  const { tenants, endpoints, subscriptions, ...others } = configurationOf(db);
  const { eventTypes, automaticEventTypes, changeTurns, apiKeys, apiKeyUses } = others;
  await tenants.createIndex({ created_at: 1, _id: 1 });
  await endpoints.createIndex({ tenant: 1, _id: 1 });
  await endpoints.createIndex({ tenant: 1, url: 1 });
  await endpoints.createIndex({ 'pause.ends_at': 1 }, { sparse: true });
  await subscriptions.createIndex({ tenant: 1, _id: 1 });
  await subscriptions.createIndex({ tenant: 1, endpoint_id: 1 });
  await subscriptions.createIndex({ event_types: 1 });
  await automaticEventTypes.createIndex({ tenant: 1, place: 1 }, { unique: true });
  await automaticEventTypes.createIndex({ tenant: 1, name: 1 });
  await automaticEventTypes.createIndex({ name: 1, first_seen_at: 1 });
  const expireAfterSeconds = AUTOMATIC_TYPE_KEPT_SECONDS;
  await automaticEventTypes.createIndex({ last_seen_at: 1 }, { expireAfterSeconds });
  await changeTurns.createIndex({ at: 1 }, { expireAfterSeconds: CHANGE_TURN_KEPT_SECONDS });
  await eventTypes.createIndex({ auto: 1 });
  await eventTypes.createIndex(
    { updated_at: 1 },
    { expireAfterSeconds, partialFilterExpression: { auto: true } },
  );
  await apiKeys.createIndex({ id: 1 }, { unique: true });
  await apiKeys.createIndex({ tenant: 1, id: 1 });
  await apiKeys.createIndex({ revoked_at: 1 }, { expireAfterSeconds: REVOKED_KEY_KEPT_SECONDS });
  await ensureSessionIndexes(db);
  await apiKeyUses.createIndex({ last_used_at: 1 }, { expireAfterSeconds: KEY_USE_KEPT_SECONDS });
}
