/**
 * Links to large payloads (IN-12): a link grants access to one payload until it expires, without an
 * API key.
 *
 * `<base>/v1/payloads/<owner>/<payload id>?expires=<seconds since 1970>&signature=<base64url>`
 *
 * The signature is HMAC-SHA256 over the version, the payload's key and the time. Its key is derived
 * from the master key for this purpose alone (RFC 5869), so a link reveals nothing about other
 * uses.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { limits } from '#domain/limits.ts';
import { LIFE_ID_PATTERN } from '#domain/tenant.ts';

const VERSION = 'v1';
const INFO = 'posthorn payload links';

/** Owns the payloads of broadcasts: all copies share one. */
export const BROADCAST_OWNER = 'broadcast';
/** Replaces a life id that equals the word. */
const NAMESAKE_OWNER = `${BROADCAST_OWNER}=0`;
export const PAYLOAD_OWNER_LENGTH_MAX = limits.tenantIdLengthMax + '=999999999'.length;
export const PAYLOAD_OWNER_PATTERN = `${LIFE_ID_PATTERN}|^${NAMESAKE_OWNER}$`;

/** The first part of the keys of a tenant's payloads, in one of its lives. */
export function payloadOwner(lifeId: string): string {
  return lifeId === BROADCAST_OWNER ? NAMESAKE_OWNER : lifeId;
}

/** The life id whose payload a key names; undefined for a broadcast's payload. */
export function lifeOfPayload(key: string): string | undefined {
  const owner = key.slice(0, key.indexOf('/'));
  if (owner === BROADCAST_OWNER) return undefined;
  return owner === NAMESAKE_OWNER ? BROADCAST_OWNER : owner;
}

export interface PayloadLink {
  url: string;
  /** Milliseconds since 1970, a whole second. */
  expiresAtMs: number;
}

export class PayloadLinks {
  private readonly key: Buffer;
  private readonly otherKeys: readonly Buffer[];

  /**
   * @param masterKeyBase64 32 bytes in base64
   * @param otherKeysBase64 master keys whose links are valid too
   */
  constructor(masterKeyBase64: string, otherKeysBase64: readonly string[] = []) {
    this.key = linkKey(masterKeyBase64);
    this.otherKeys = otherKeysBase64.map(linkKey);
  }

  /**
   * @param baseUrl public URL of the API, without a slash at its end
   * @param key `<owner>/<payload id>`
   */
  make(baseUrl: string, key: string, expiresAtMs: number): PayloadLink {
    const expires = String(Math.floor(expiresAtMs / 1000));
    const signature = sign(this.key, key, expires).toString('base64url');
    return {
      url: `${baseUrl}/v1/payloads/${key}?expires=${expires}&signature=${signature}`,
      expiresAtMs: Number(expires) * 1000,
    };
  }

  /** Verifies in constant time; an invalid signature is never reported as expired. */
  check(
    key: string,
    expires: string,
    signature: string,
    nowMs: number,
  ): 'valid' | 'invalid' | 'expired' {
    const given = Buffer.from(signature, 'base64url');
    const isSignedWith = (linkKey: Buffer): boolean => {
      const wanted = sign(linkKey, key, expires);
      return given.length === wanted.length && timingSafeEqual(given, wanted);
    };
    if (![this.key, ...this.otherKeys].some(isSignedWith)) return 'invalid';
    return Number(expires) * 1000 > nowMs ? 'valid' : 'expired';
  }
}

function linkKey(masterKeyBase64: string): Buffer {
  const master = Buffer.from(masterKeyBase64, 'base64');
  return Buffer.from(hkdfSync('sha256', master, '', INFO, 32));
}

function sign(linkKey: Buffer, key: string, expires: string): Buffer {
  return createHmac('sha256', linkKey).update(`${VERSION}\n${key}\n${expires}`).digest();
}
