/**
 * A histogram of durations with buckets that grow by 3.9 % (as in DDSketch, Masson et al., 2019): a
 * quantile is at most 2 % from the true value, and histograms add up without further loss.
 * The range is 0.1 ms to 400 days; durations outside it count as its nearest bound.
 */

const GROWTH = 1.039;
const LOG_GROWTH = Math.log(GROWTH);
/** Bucket i holds durations over `GROWTH ** (i - 1)` ms and up to `GROWTH ** i` ms. */
const BUCKET_MIN = Math.ceil(Math.log(0.1) / LOG_GROWTH);
const BUCKET_MAX = Math.ceil(Math.log(400 * 24 * 3600 * 1000) / LOG_GROWTH);

/** The largest distance of a quantile from the true value, as a share of it. */
export const QUANTILE_ERROR_MAX = 0.02;

/** Numbers of durations by bucket. */
export type LogHistogram = Map<number, number>;

/** The facts that MongoDB needs to compute the same bucket: see `bucketOf`. */
export const bucketing = { logGrowth: LOG_GROWTH, min: BUCKET_MIN, max: BUCKET_MAX } as const;

/** Returns the bucket of a duration in milliseconds. */
export function bucketOf(ms: number): number {
  // Negative where two clocks disagree.
  if (!(ms > 0)) return BUCKET_MIN;
  const bucket = Math.ceil(Math.log(ms) / LOG_GROWTH);
  return Math.min(BUCKET_MAX, Math.max(BUCKET_MIN, bucket));
}

/** Adds the counts of `from` to `into`. */
export function addHistogram(into: LogHistogram, from: LogHistogram): void {
  for (const [bucket, count] of from) into.set(bucket, (into.get(bucket) ?? 0) + count);
}

/**
 * Returns quantiles in milliseconds, by the nearest rank; null if the histogram is empty.
 *
 * @param shares ascending, each from 0 to 1
 */
export function quantiles(histogram: LogHistogram, shares: readonly number[]): (number | null)[] {
  const sorted = [...histogram].sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return shares.map(() => null);
  let at = 0;
  let seen = sorted[0]?.[1] ?? 0;
  return shares.map((share) => {
    const rank = Math.max(1, Math.ceil(share * total));
    while (seen < rank) seen += sorted[++at]?.[1] ?? rank;
    return valueOf(sorted[at]?.[0] ?? BUCKET_MAX);
  });
}

/** The value of a bucket with the same relative distance to both of its bounds. */
function valueOf(bucket: number): number {
  const value = (2 * GROWTH ** bucket) / (GROWTH + 1);
  return value >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
}

/**
 * Encodes a histogram in about 3 bytes for each bucket: pairs of the distance to the previous
 * bucket and the count, as variable-length integers (LEB128).
 */
export function encodeHistogram(histogram: LogHistogram): Uint8Array {
  const bytes: number[] = [];
  let previous = BUCKET_MIN;
  for (const [bucket, count] of [...histogram].sort(([a], [b]) => a - b)) {
    pushInteger(bytes, bucket - previous);
    pushInteger(bytes, count);
    previous = bucket;
  }
  return Uint8Array.from(bytes);
}

/** Decodes the bytes of `encodeHistogram` into a histogram, and adds them to `into`. */
export function decodeHistogram(bytes: Uint8Array, into: LogHistogram = new Map()): LogHistogram {
  let bucket = BUCKET_MIN;
  let at = 0;
  const next = (): number => {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  while (at < bytes.length) {
    bucket += next();
    into.set(bucket, (into.get(bucket) ?? 0) + next());
  }
  return into;
}

function pushInteger(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}
