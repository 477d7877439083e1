/**
 * The configuration as the data plane reads it: values of the KV bucket CONFIG, written by control
 * from MongoDB, watched by every process (design: ADR 0002). Its secrets are sealed
 * (`infra/crypto/secret-box`).
 */
import type { Capability, KeyScope } from '#domain/capabilities.ts';
import type {
  BodyFormat,
  EndpointStatus,
  EndpointStatusReason,
  OnExhausted,
} from '#domain/endpoint/endpoint.ts';
import type { PollPolicy, RateLimit } from '#domain/endpoint/endpoint-policy.ts';
import type { Formula } from '#domain/event/deduplication.ts';
import type { EventTypeStatus } from '#domain/event/event-type.ts';
import type { StoredStatus } from '#domain/stored-status.ts';
import type { Priority } from '#domain/event/priority.ts';
import type { EventTypePolicy } from '#domain/tenant.ts';
import type { RetryPolicy } from '#domain/outcome/verdict.ts';

/** `tenant.<id>`: a whole tenant, so that readers see each change as one atomic step. */
export interface TenantSnapshot {
  v: 1;
  id: string;
  /** Incremented when the tenant is deleted and created again (`domain/tenant.ts`); absent: 0. */
  life?: number;
  /** Incremented with every change of the tenant, its endpoints or its subscriptions. */
  rev: number;
  /** The tenant's share of a worker, relative to other tenants. */
  weight: number;
  /** Concurrent requests to all its endpoints; absent: no limit of its own. */
  inFlightMax?: number;
  eventTypePolicy?: EventTypePolicy;
  /** Of its events, and of requests with its keys; absent: none. */
  rateLimit?: RateLimit;
  endpoints: EndpointSnapshot[];
  subscriptions: SubscriptionSnapshot[];
}

export interface EndpointSnapshot {
  id: string;
  url: string;
  state: EndpointStatus;
  stateReason?: EndpointStatusReason;
  format: BodyFormat;
  /** Plain text, in snapshots written before headers were sealed; now `sealedHeaders` is used. */
  headers: Record<string, string>;
  /** This field and the next two are sealed by `wire/sealed-credentials.ts`. */
  sealedHeaders?: string;
  sealedCredentials?: string;
  sealedCertificate?: string;
  /** Newest first; each signs until `notAfterMs`. */
  secrets: { sealed: string; notAfterMs?: number }[];
  /** This field and those below: absent means the platform's default. */
  retry?: RetryPolicy;
  timeoutMs?: number;
  inFlightMax?: number;
  rateLimit?: RateLimit;
  /** One delivery in flight, in event order (DL-16); absent: in any order. */
  ordered?: { onExhausted: OnExhausted };
  /** Large payloads are sent as a link; absent: inline. */
  payload?: 'url';
  /** Payloads over this many bytes are sent as a link; absent: none. */
  payloadInlineMaxBytes?: number;
  /** Webhooks carry it as `webhook-request-origin`. */
  requestOrigin?: string;
  /** Webhooks carry `traceparent`. */
  propagateTrace?: true;
  /** It is polled, and has no URL (DL-19); absent: webhooks are sent to its URL. */
  poll?: PollPolicy;
  /** Each delivery has a number, without gaps (DL-23). */
  sequenced?: true;
}

/** Only approved ones are in the snapshot. */
export interface SubscriptionSnapshot {
  id: string;
  endpointId: string;
  /** Selectors: `order.created`, `order.*`, `*`. */
  eventTypes: string[];
  /** A filter in MongoDB operators over the event, validated when it was stored. */
  filter?: Record<string, unknown>;
}

/** `type.<name>` */
export interface EventTypeSnapshot {
  v: 1;
  name: string;
  rev: number;
  state: StoredStatus<EventTypeStatus>;
  sensitive: boolean;
  /** Of its events that name none; absent: normal. */
  priority?: Priority;
  /** The JSON Schema (2020-12) of the newest version of `data`. */
  schema?: Record<string, unknown>;
  /** Which of its events count as duplicates. */
  deduplication?: Formula;
}

/** `key.<sha256 of the key, hex>` */
export interface ApiKeySnapshot {
  v: 1;
  id: string;
  rev: number;
  scope: KeyScope;
  /** Absent: all that the scope allows. */
  capabilities?: Capability[];
  /** A tenant key covers this tenant only; a producer key may be limited to one too. */
  tenant?: string;
  /** The life of the tenant that the key was created in; absent: 0. */
  life?: number;
  expiresAtMs?: number;
  /** Absent: none. */
  rateLimit?: RateLimit;
}

/**
 * `revoked.<session id>`, `revoked.tenant.<life id>`: the deny list. Sessions of this name that
 * were read before the value changed must be read again.
 */
export interface RevocationSnapshot {
  v: 1;
  rev: number;
}

/** The current configuration in a process; filled by `infra/nats/stores/config-store.ts`. */
export interface ConfigView {
  /** The tenant in exactly this life; undefined if the tenant is unknown or in another life. */
  tenant(lifeId: string): TenantSnapshot | undefined;
  /** The tenant in its current life. */
  currentTenant(id: string): TenantSnapshot | undefined;
  eventType(name: string): EventTypeSnapshot | undefined;
  /** By the SHA-256 of the key, in hex. */
  apiKey(hash: string): ApiKeySnapshot | undefined;
}

/** The deny list of sessions in a process. */
export interface Revocations {
  /** Revision of the entry of this name; 0: it has none. */
  revocation(name: string): number;
}
