import { createHash, randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

export type IdPrefix = 'evt' | 'ep' | 'sub' | 'key' | 'att' | 'rpl' | 'req' | 'bc' | 'pay';

/**
 * Generates an identifier: `<prefix>_<26 characters>`, the first 10 from the clock (48 bits,
 * milliseconds), so that later ids sort later (the ULID layout, https://github.com/ulid/spec, in
 * lower case).
 */
export function newId(prefix: IdPrefix, nowMs: number): string {
  let time = nowMs;
  let head = '';
  for (let i = 0; i < 10; i++) {
    head = ALPHABET[time % 32] + head;
    time = Math.floor(time / 32);
  }
  let tail = '';
  for (const byte of takeRandom(16)) tail += ALPHABET[byte & 31];
  return `${prefix}_${head}${tail}`;
}

// Filled for many ids at once: a system call for 16 bytes costs more than the rest.
let pool = Buffer.alloc(0);
let poolAt = 0;
function takeRandom(bytes: number): Buffer {
  if (poolAt + bytes > pool.length) {
    pool = randomBytes(4096);
    poolAt = 0;
  }
  const slice = pool.subarray(poolAt, poolAt + bytes);
  poolAt += bytes;
  return slice;
}

/**
 * The id of the delivery of an event to an endpoint. It is computed, not random, so that an event
 * routed twice after a crash yields the same delivery (RT-4).
 *
 * @param generation empty for the first delivery; the replay's id for a replayed one
 */
export function deliveryId(
  tenant: string,
  eventId: string,
  endpointId: string,
  generation = '',
): string {
  const digest = createHash('sha256')
    .update(`${tenant}\n${eventId}\n${endpointId}\n${generation}`)
    .digest('base64url');
  return `dlv_${digest.slice(0, 26)}`;
}
