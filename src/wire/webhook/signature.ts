/**
 * Signatures by Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks,
 * spec): the signed content is `<webhook-id>.<webhook-timestamp>.<body>`, with the exact bytes that
 * are sent.
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  randomBytes,
  sign,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;

/** PKCS #8 (RFC 8410) around the 32 bytes of an ed25519 seed. */
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Signs a text that is not a webhook. */
export type TextSigner = (text: string) => string;

export type Signer = (id: string, timestampSeconds: number, body: Uint8Array) => string;

export const secretAlgorithms = ['hmac-sha256', 'ed25519'] as const;
export type SecretAlgorithm = (typeof secretAlgorithms)[number];

/** The algorithm of a signing secret, by its prefix. */
export function algorithmOf(secret: string): SecretAlgorithm {
  return secret.startsWith('whsk_') ? 'ed25519' : 'hmac-sha256';
}

/**
 * Generates a secret: `whsec_` and 32 random bytes in base64, or `whsk_` and an ed25519 key of 64
 * bytes (seed, then public key), as the libraries of Standard Webhooks expect.
 */
export function newSecret(algorithm: SecretAlgorithm = 'hmac-sha256'): string {
  const random = randomBytes(32);
  if (algorithm === 'hmac-sha256') return `whsec_${random.toString('base64')}`;
  return `whsk_${Buffer.concat([random, publicBytes(random)]).toString('base64')}`;
}

/** The key for verification, `whpk_` and the ed25519 public key in base64; undefined for HMAC. */
export function publicKeyOf(secret: string): string | undefined {
  if (algorithmOf(secret) !== 'ed25519') return undefined;
  const seed = Buffer.from(secret.slice('whsk_'.length), 'base64').subarray(0, 32);
  return `whpk_${publicBytes(seed).toString('base64')}`;
}

/** Why a text is not a signing secret; undefined if it is one. */
export function secretFault(secret: string): string | undefined {
  const match = /^(whsec_|whsk_)([A-Za-z0-9+/]+={0,2})$/.exec(secret);
  if (match === null) return 'must be whsec_ (HMAC) or whsk_ (ed25519) followed by base64';
  const bytes = Buffer.from(match[2] as string, 'base64');
  if (match[1] === 'whsk_') {
    const isKey = bytes.length === 32 || bytes.length === 64;
    return isKey ? undefined : 'must hold an ed25519 key of 32 or 64 bytes';
  }
  return bytes.length >= SECRET_BYTES_MIN && bytes.length <= SECRET_BYTES_MAX
    ? undefined
    : `must hold ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes`;
}

/**
 * Why a secret that passed `secretFault` must not be accepted from a caller: its public key does
 * not match its seed, so a receiver with that public key could verify nothing.
 */
export function keyPairFault(secret: string): string | undefined {
  if (algorithmOf(secret) !== 'ed25519') return undefined;
  const bytes = Buffer.from(secret.slice('whsk_'.length), 'base64');
  const isPair =
    bytes.length === 32 || publicBytes(bytes.subarray(0, 32)).equals(bytes.subarray(32));
  return isPair ? undefined : 'must end with the public key of its first 32 bytes';
}

/**
 * Creates the signing function of a secret: `v1` (HMAC-SHA256) for `whsec_`, `v1a` (ed25519) for
 * `whsk_`.
 *
 * @throws Error if the secret is invalid
 */
export function createSigner(secret: string): Signer {
  const key = signingKeyOf(secret);
  return algorithmOf(secret) === 'ed25519' ? ed25519Signer(key) : hmacSigner(key);
}

/**
 * Creates the signing function of a secret for texts, with the same algorithms. A text must have
 * no dot: the signature of one that has could be taken for that of a webhook.
 *
 * @throws Error if the secret is invalid
 */
export function createTextSigner(secret: string): TextSigner {
  const key = signingKeyOf(secret);
  if (algorithmOf(secret) === 'ed25519') {
    return (text) => `v1a,${sign(null, Buffer.from(text), key).toString('base64')}`;
  }
  return (text) => `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
}

/** @throws Error if the secret is invalid */
function signingKeyOf(secret: string): KeyObject {
  const fault = secretFault(secret);
  if (fault !== undefined) throw new Error(`the secret ${fault}`);
  const bytes = Buffer.from(secret.slice(secret.indexOf('_') + 1), 'base64');
  return algorithmOf(secret) === 'ed25519'
    ? privateKey(bytes.subarray(0, 32))
    : createSecretKey(bytes);
}

function hmacSigner(key: KeyObject): Signer {
  return (id, timestampSeconds, body) =>
    `v1,${createHmac('sha256', key)
      .update(`${id}.${timestampSeconds}.`)
      .update(body)
      .digest('base64')}`;
}

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({
    key: Buffer.concat([ED25519_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  });
}

/** The 32 bytes of the public key: the last ones of its DER form (RFC 8410, section 4). */
function publicBytes(seed: Uint8Array): Buffer {
  return createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' }).subarray(-32);
}

function ed25519Signer(key: KeyObject): Signer {
  return (id, timestampSeconds, body) => {
    const content = Buffer.concat([Buffer.from(`${id}.${timestampSeconds}.`), body]);
    return `v1a,${sign(null, content, key).toString('base64')}`;
  };
}
