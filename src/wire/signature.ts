/**
 * Signatures by Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks, spec): the
 * content signed is `<webhook-id>.<webhook-timestamp>.<body>`, the exact bytes that are sent.
 */
import { createHmac, createPrivateKey, createSecretKey, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;

/** PKCS #8 (RFC 8410) around the 32 bytes of an ed25519 seed. */
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export type Signer = (id: string, timestampSeconds: number, body: Uint8Array) => string;

/** A new secret: `whsec_` and 32 random bytes in base64. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/** Why a text is not a signing secret, or undefined where it is one. */
export function secretFault(secret: string): string | undefined {
  const match = /^(whsec_|whsk_)([A-Za-z0-9+/]+={0,2})$/.exec(secret);
  if (match === null) return 'must be whsec_ (HMAC) or whsk_ (ed25519) followed by base64';
  const bytes = Buffer.from(match[2] as string, 'base64').length;
  if (match[1] === 'whsk_') {
    return bytes === 32 || bytes === 64 ? undefined : 'must hold an ed25519 key of 32 or 64 bytes';
  }
  return bytes >= SECRET_BYTES_MIN && bytes <= SECRET_BYTES_MAX
    ? undefined
    : `must hold ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes`;
}

/**
 * Makes the signing function of a secret: `v1` (HMAC-SHA256) for `whsec_`, `v1a` (ed25519) for `whsk_`.
 *
 * @throws Error where the secret is not one
 */
export function createSigner(secret: string): Signer {
  const fault = secretFault(secret);
  if (fault !== undefined) throw new Error(`the secret ${fault}`);
  if (secret.startsWith('whsk_')) {
    return ed25519Signer(Buffer.from(secret.slice('whsk_'.length), 'base64'));
  }
  return hmacSigner(createSecretKey(Buffer.from(secret.slice('whsec_'.length), 'base64')));
}

function hmacSigner(key: KeyObject): Signer {
  return (id, timestampSeconds, body) =>
    `v1,${createHmac('sha256', key)
      .update(`${id}.${timestampSeconds}.`)
      .update(body)
      .digest('base64')}`;
}

function ed25519Signer(bytes: Buffer): Signer {
  const key = createPrivateKey({
    key: Buffer.concat([ED25519_PREFIX, bytes.subarray(0, 32)]),
    format: 'der',
    type: 'pkcs8',
  });
  return (id, timestampSeconds, body) => {
    const content = Buffer.concat([Buffer.from(`${id}.${timestampSeconds}.`), body]);
    return `v1a,${sign(null, content, key).toString('base64')}`;
  };
}
