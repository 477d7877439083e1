import { createHash, randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const CLOCK_LENGTH = 10;
const RANDOM_LENGTH = 16;
const IDS_AT_ONCE = 256;

export type IdPrefix =
  | 'evt'
  | 'ep'
  | 'sub'
  | 'imp'
  | 'key'
  | 'att'
  | 'rpl'
  | 'req'
  | 'bc'
  | 'bh'
  | 'pay'
  | 'seq'
  | 'pln'
  | 'ses';

/**
 * Generates an identifier: `<prefix>_<26 characters>`, the first 10 from the clock (48 bits,
 * milliseconds), so that later ids sort later (the ULID layout, https://github.com/ulid/spec, in
 * lower case).
 */
export function newId(prefix: IdPrefix, nowMs: number): string {
  if (nowMs !== clockMs) {
    clockMs = nowMs;
    clockPart = clockCharacters(nowMs);
  }
  if (randomAt === randomPart.length) {
    randomPart = randomCharacters();
    randomAt = 0;
  }
  const tail = randomPart.slice(randomAt, randomAt + RANDOM_LENGTH);
  randomAt += RANDOM_LENGTH;
  return `${prefix}_${clockPart}${tail}`;
}

// Events of one millisecond share the first part.
let clockMs = Number.NaN;
let clockPart = '';
// Made for many ids together: a string that grows by one character allocates one for each.
let randomPart = '';
let randomAt = 0;

function clockCharacters(nowMs: number): string {
  let time = nowMs;
  let characters = '';
  for (let i = 0; i < CLOCK_LENGTH; i++) {
    characters = ALPHABET[time % 32] + characters;
    time = Math.floor(time / 32);
  }
  return characters;
}

function randomCharacters(): string {
  const bytes = randomBytes(IDS_AT_ONCE * RANDOM_LENGTH);
  for (const [i, byte] of bytes.entries()) bytes[i] = ALPHABET.charCodeAt(byte & 31);
  return bytes.toString('latin1');
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

/** The id of the issue of a tenant's life: the same for every process that finds its failures. */
export function issueId(lifeId: string, endpointId: string, cause: string): string {
  const digest = createHash('sha256').update(`${lifeId}\n${endpointId}\n${cause}`);
  return `iss_${digest.digest('hex').slice(0, 26)}`;
}
