import type { EndpointStatus } from '#domain/endpoint/endpoint.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import { refuseUnless } from './pauses.ts';

export interface StatusChange {
  /** Undefined: the caller does not change it. */
  status: EndpointStatus | undefined;
  /** The endpoint gets another URL. */
  moved: boolean;
  now: Date;
}

/**
 * Returns the fields that a change of the status or the URL sets. An endpoint that has to be
 * verified is paused until the receiver at its present URL agrees.
 *
 * @throws PosthornError POSTHORN_ENDPOINT_STATUS
 */
export function statusFields(
  known: EndpointDocument,
  { status, moved, now }: StatusChange,
): Partial<EndpointDocument> {
  const { verification } = known;
  if (moved && verification) {
    refuseUnless(status !== 'active', 'has to be verified at its new URL first');
    const fields = { verification: { ...verification, verified_at: null } };
    const isDisabled = (status ?? known.state) === 'disabled';
    return isDisabled
      ? { ...fields, ...fieldsOf(known, 'disabled', now) }
      : { ...fields, state: 'paused', state_reason: 'unverified', pause: null };
  }
  return status === undefined ? {} : fieldsOf(known, status, now);
}

function fieldsOf(
  known: EndpointDocument,
  status: EndpointStatus,
  now: Date,
): Partial<EndpointDocument> {
  const { verification } = known;
  const isVerified = !verification || verification.verified_at !== null;
  if (status === 'active') {
    refuseUnless(isVerified, 'is not verified');
    return { state: 'active', state_reason: null, pause: null };
  }
  if (status === 'disabled') return { state: 'disabled', state_reason: 'operator', pause: null };
  if (!isVerified) return { state: 'paused', state_reason: 'unverified', pause: null };
  const isPaused = known.state === 'paused';
  const pause = (isPaused ? known.pause : null) ?? { reason: null, paused_at: now, ends_at: null };
  return { state: 'paused', state_reason: 'operator', pause };
}
