import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { EndpointDocument, StoredSecret } from '#infra/mongo/configuration.ts';
import type { RevealedSecrets, SigningSecret } from '#wire/api/endpoint/endpoint.ts';
import {
  algorithmOf,
  keyPairFault,
  newSecret,
  publicKeyOf,
  secretFault,
} from '#wire/webhook/signature.ts';

export interface Sealer {
  seal(text: string, context: string): string;
  /** @throws Error if no key of this process opens it */
  open(sealed: string, context: string): string;
}

/**
 * Returns the signing secret that a request names; undefined if it names none.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function checkSecret(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const fault = secretFault(given) ?? keyPairFault(given);
  if (fault === undefined) return given;
  throw new PosthornError('POSTHORN_REQUEST_INVALID', {
    detail: `/secret ${fault}`,
    fields: [{ pointer: '/secret', detail: fault }],
  });
}

/**
 * Generates a secret with the present algorithm: a rotation without a given secret must not change
 * how receivers verify. If the master key of the secret is lost, its algorithm is lost too, and the
 * new secret is for HMAC.
 */
export function successorOf(box: Sealer, endpoint: EndpointDocument): string {
  const [newest] = endpoint.secrets;
  const opened = newest && openedOrNone(box, newest, endpoint._id);
  return newSecret(opened === undefined ? undefined : algorithmOf(opened));
}

/**
 * Returns the secrets that sign now, newest first, in their form in the API: without the secrets
 * themselves.
 */
export function toSecretResources(
  box: Sealer,
  endpoint: EndpointDocument,
  now: Date,
): SigningSecret[] {
  return revealSecrets(box, endpoint, now).map((revealed) => {
    const { algorithm, public_key, created_at, expires_at } = revealed;
    return { algorithm, public_key, created_at, expires_at };
  });
}

/** The same with the secrets themselves. */
export function revealSecrets(
  box: Sealer,
  endpoint: EndpointDocument,
  now: Date,
): RevealedSecrets['data'] {
  return endpoint.secrets
    .filter((secret) => secret.not_after === null || secret.not_after > now)
    .map((stored) => {
      const secret = openedOrNone(box, stored, endpoint._id);
      return {
        ...toPublicKeyFields(secret),
        created_at: stored.created_at.toISOString(),
        expires_at: stored.not_after?.toISOString() ?? null,
        secret: secret ?? null,
      };
    });
}

function toPublicKeyFields(
  secret: string | undefined,
): Pick<SigningSecret, 'algorithm' | 'public_key'> {
  if (secret === undefined) return { algorithm: null, public_key: null };
  return { algorithm: algorithmOf(secret), public_key: publicKeyOf(secret) ?? null };
}

/**
 * An endpoint whose secrets cannot be opened is still shown, so that it can be found and repaired.
 */
function openedOrNone(box: Sealer, secret: StoredSecret, endpointId: string): string | undefined {
  try {
    return box.open(secret.sealed, endpointId);
  } catch {
    return undefined;
  }
}

/** Seals a secret for this endpoint and no other. */
export function sealedSecret(
  box: Sealer,
  endpointId: string,
  secret: string,
  now: Date,
): StoredSecret {
  return { sealed: box.seal(secret, endpointId), created_at: now, not_after: null };
}

/**
 * Returns the secrets after a rotation, newest first. Previous secrets are valid until `until`, or
 * until their own earlier end; ended secrets are omitted.
 *
 * @throws PosthornError POSTHORN_LIMIT_EXCEEDED if too many would be valid at the same time
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
