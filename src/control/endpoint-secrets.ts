import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { StoredSecret } from '#infra/mongo/configuration.ts';
import { newSecret, secretFault } from '#wire/signature.ts';

export interface Sealer {
  seal(text: string, context: string): string;
}

/**
 * The caller's signing secret, or a new one where the caller sent none.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function checkSecret(given: string | undefined): string {
  if (given === undefined) return newSecret();
  const fault = secretFault(given);
  if (fault === undefined) return given;
  throw new PosthornError('POSTHORN_REQUEST_INVALID', {
    detail: `/secret ${fault}`,
    fields: [{ pointer: '/secret', detail: fault }],
  });
}

/** Sealed for this endpoint and no other. */
export function sealedSecret(
  box: Sealer,
  endpointId: string,
  secret: string,
  now: Date,
): StoredSecret {
  return { sealed: box.seal(secret, endpointId), created_at: now, not_after: null };
}

/**
 * The secrets after a rotation, newest first. Those before are valid until `until`, or until they would have
 * ended anyway; those that have ended are left out.
 *
 * @throws PosthornError POSTHORN_LIMIT_EXCEEDED where too many would be valid at once
 */
export function rotateSecrets(
  before: StoredSecret[],
  fresh: StoredSecret,
  until: Date,
  now: Date,
): StoredSecret[] {
  const kept = before
    .map((secret) => ({
      ...secret,
      not_after: secret.not_after !== null && secret.not_after < until ? secret.not_after : until,
    }))
    .filter((secret) => secret.not_after > now);
  if (kept.length >= limits.endpointSecretsMax) {
    const detail = `${kept.length} secrets are still valid; wait until one ends, or rotate with a shorter overlap`;
    throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail });
  }
  return [fresh, ...kept];
}
