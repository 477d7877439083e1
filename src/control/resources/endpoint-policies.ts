/**
 * Converts policies of an endpoint between the API, MongoDB and the snapshot (DL-5, DL-8, DL-9).
 */
import { checkRetryDelays } from '#domain/endpoint/endpoint-policy.ts';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { defaultRetryPolicy } from '#domain/outcome/verdict.ts';
import type { StoredEndpointPolicy } from '#infra/mongo/configuration.ts';
import type {
  EndpointPolicyFields,
  EndpointPolicySettings,
} from '#wire/api/endpoint/endpoint-policy.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { rateSnapshot, storedRate } from './stored-rate.ts';

const MAX_AGE_SECONDS = (defaultRetryPolicy.maxAgeMs as number) / 1000;

/**
 * Returns the stored form of the policies that a request sets; omits policies that it does not
 * name. Within a policy, unnamed fields keep their value. Fields that were never named are filled
 * with the defaults of now, so that a later change of the platform's defaults leaves the policy
 * unchanged.
 *
 * @param known the endpoint before the change; absent for a new one
 * @throws PosthornError POSTHORN_REQUEST_INVALID if the delays do not ascend or are too long
 * together
 */
export function policyFields(
  body: EndpointPolicySettings,
  known: StoredEndpointPolicy = {},
): StoredEndpointPolicy {
  const fields: StoredEndpointPolicy = {};
  const { retry, rate_limit: rate } = body;
  if (retry !== undefined) fields.retry = retry === null ? null : storedRetry(retry, known.retry);
  if (body.timeout_ms !== undefined) fields.timeout_ms = body.timeout_ms;
  if (body.ordered !== undefined) fields.ordered = body.ordered;
  if (body.on_exhausted !== undefined) fields.on_exhausted = body.on_exhausted;
  if (body.in_flight_max !== undefined) fields.in_flight_max = body.in_flight_max;
  if (rate !== undefined) {
    fields.rate_limit = rate === null ? null : storedRate(rate, known.rate_limit);
  }
  if (body.payload !== undefined) fields.payload = body.payload;
  if (body.payload_inline_max_bytes !== undefined) {
    fields.payload_inline_max_bytes = body.payload_inline_max_bytes;
  }
  if (body.propagate_trace !== undefined) fields.propagate_trace = body.propagate_trace;
  if (body.sequenced !== undefined) fields.sequenced = body.sequenced;
  return fields;
}

/**
 * Checks that payload links are possible: they begin with a URL that the operator has to set.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID if links are requested and the operator set no URL
 */
export function checkLinksAllowed(
  body: EndpointPolicySettings,
  publicUrl: string | undefined,
): void {
  if (publicUrl !== undefined) return;
  const detail = 'needs links to payloads, for which the operator has to set POSTHORN_PUBLIC_URL';
  const fields: FieldError[] = [];
  if (body.payload === 'url') fields.push({ pointer: '/payload', detail });
  if (typeof body.payload_inline_max_bytes === 'number') {
    fields.push({ pointer: '/payload_inline_max_bytes', detail });
  }
  if (fields.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

function storedRetry(
  retry: NonNullable<EndpointPolicySettings['retry']>,
  known: StoredEndpointPolicy['retry'],
): NonNullable<StoredEndpointPolicy['retry']> {
  if (retry.delays_seconds !== undefined) {
    checkRetryDelays(retry.delays_seconds, '/retry/delays_seconds');
  }
  const { delaysSeconds, finalStatuses, retryAfterMaxMs } = defaultRetryPolicy;
  return {
    delays_seconds: [...delaysSeconds],
    final_statuses: [...finalStatuses],
    retry_after_max_seconds: retryAfterMaxMs / 1000,
    max_age_seconds: MAX_AGE_SECONDS,
    ...known,
    ...retry,
  };
}

/** Returns the policies in their form in the API; null: the default of the platform. */
export function toPolicyResource(stored: StoredEndpointPolicy): EndpointPolicyFields {
  return {
    retry: stored.retry ? { max_age_seconds: MAX_AGE_SECONDS, ...stored.retry } : null,
    timeout_ms: stored.timeout_ms ?? null,
    in_flight_max: stored.in_flight_max ?? null,
    rate_limit: stored.rate_limit ?? null,
    ordered: stored.ordered ?? false,
    on_exhausted: stored.on_exhausted ?? 'dead_letter',
    payload: stored.payload ?? 'inline',
    payload_inline_max_bytes: stored.payload_inline_max_bytes ?? null,
    propagate_trace: stored.propagate_trace ?? false,
    sequenced: stored.sequenced ?? false,
  };
}

/** Returns the policies for the data plane: only the differences from the platform's defaults. */
export function policySnapshot(
  stored: StoredEndpointPolicy,
): Pick<
  EndpointSnapshot,
  | 'retry'
  | 'timeoutMs'
  | 'inFlightMax'
  | 'rateLimit'
  | 'ordered'
  | 'payload'
  | 'payloadInlineMaxBytes'
  | 'propagateTrace'
  | 'sequenced'
> {
  const { retry, timeout_ms: timeoutMs, in_flight_max: inFlightMax } = stored;
  const rate = rateSnapshot(stored.rate_limit);
  const snapshot: ReturnType<typeof policySnapshot> = {};
  if (retry) {
    snapshot.retry = {
      delaysSeconds: retry.delays_seconds,
      finalStatuses: retry.final_statuses,
      retryAfterMaxMs: retry.retry_after_max_seconds * 1000,
      maxAgeMs: (retry.max_age_seconds ?? MAX_AGE_SECONDS) * 1000,
    };
  }
  if (typeof timeoutMs === 'number') snapshot.timeoutMs = timeoutMs;
  if (typeof inFlightMax === 'number') snapshot.inFlightMax = inFlightMax;
  if (stored.payload === 'url') snapshot.payload = 'url';
  const { payload_inline_max_bytes: inlineMax } = stored;
  if (typeof inlineMax === 'number') snapshot.payloadInlineMaxBytes = inlineMax;
  if (rate !== undefined) snapshot.rateLimit = rate;
  if (stored.ordered === true) {
    snapshot.ordered = { onExhausted: stored.on_exhausted ?? 'dead_letter' };
  }
  if (stored.propagate_trace === true) snapshot.propagateTrace = true;
  if (stored.sequenced === true) snapshot.sequenced = true;
  return snapshot;
}
