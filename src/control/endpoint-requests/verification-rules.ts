import { defaultBurst, policyBounds } from '#domain/endpoint/endpoint-policy.ts';
import { PosthornError } from '#domain/errors.ts';
import type { EndpointDocument, StoredVerification } from '#infra/mongo/configuration.ts';
import type { EndpointVerification } from '#wire/api/endpoint/endpoint-verification.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';

/** Why the answer is no agreement; undefined: it is one. */
export function faultOf(
  { method, origin }: StoredVerification,
  { status, failure, detail, responseHeaders = {} }: AttemptRecord,
): string | undefined {
  if (method === 'ping') return failure === undefined ? undefined : (detail ?? failure);
  if (status === undefined) return detail ?? failure;
  // The header alone decides: a status proves nothing (CloudEvents webhooks 1.0.2, section 4.2).
  const allowed = headerOf(responseHeaders, 'webhook-allowed-origin');
  if (allowed === undefined) return 'the answer has no webhook-allowed-origin';
  const origins = allowed.split(',').map((one) => one.trim().toLowerCase());
  const isAllowed = origins.includes('*') || origins.includes(String(origin).toLowerCase());
  return isAllowed ? undefined : `the answer allows the origin ${allowed}, not ${String(origin)}`;
}

/** The rate that the receiver allows, in requests a minute, if it is lower than the present one. */
export function allowedRate(
  endpoint: EndpointDocument,
  { responseHeaders = {} }: AttemptRecord,
): Pick<EndpointDocument, 'rate_limit'> {
  const text = headerOf(responseHeaders, 'webhook-allowed-rate') ?? '';
  if (endpoint.verification?.method !== 'cloudevents' || !/^[1-9]\d{0,8}$/.test(text)) return {};
  const { minimum, maximum } = policyBounds.ratePerSecond;
  const perSecond = Math.min(Math.max(Number(text) / 60, minimum), maximum);
  if (perSecond >= (endpoint.rate_limit?.per_second ?? maximum)) return {};
  return { rate_limit: { per_second: perSecond, burst: defaultBurst(perSecond) } };
}

function headerOf(headers: Record<string, string>, name: string): string | undefined {
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name);
  return found?.[1];
}

/** Returns the verification in its form in the API. */
export function toVerificationResource({
  verification,
}: EndpointDocument): EndpointVerification | null {
  if (!verification) return null;
  const { method, verified_at: verifiedAt } = verification;
  return { method, verified_at: verifiedAt?.toISOString() ?? null };
}

/**
 * Returns the fields of a new endpoint that has to be verified.
 *
 * @param publicUrl of the API; its host is the origin of the handshake
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function verificationFields(
  method: 'none' | StoredVerification['method'] | undefined,
  publicUrl: string | undefined,
): Pick<EndpointDocument, 'verification'> & Partial<EndpointDocument> {
  if (method === undefined || method === 'none') return { verification: null };
  const paused = { state: 'paused', state_reason: 'unverified' } as const;
  if (method === 'ping') return { ...paused, verification: { method, verified_at: null } };
  if (publicUrl === undefined) {
    const detail = 'cannot be cloudevents: the operator has set no POSTHORN_PUBLIC_URL';
    throw new PosthornError('POSTHORN_REQUEST_INVALID', {
      fields: [{ pointer: '/verification', detail }],
    });
  }
  const origin = new URL(publicUrl).hostname;
  return { ...paused, verification: { method, verified_at: null, origin } };
}
