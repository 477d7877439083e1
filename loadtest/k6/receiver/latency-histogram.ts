/** Counts latencies in buckets that grow by 2 %: any number of values in the same memory. */
const GROWTH = Math.log(1.02);
const BUCKETS = 800;

export class LatencyHistogram {
  private readonly counts = new Uint32Array(BUCKETS);
  total = 0;

  add(ms: number): void {
    const bucket = Math.floor(Math.log(Math.max(1, ms * 20)) / GROWTH);
    const at = Math.min(BUCKETS - 1, bucket);
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.total++;
  }

  /** @returns milliseconds, to 2 %; 0 if there is no value */
  percentile(share: number): number {
    let left = Math.ceil(this.total * share);
    if (left === 0) return 0;
    for (let at = 0; at < BUCKETS; at++) {
      left -= this.counts[at] ?? 0;
      if (left <= 0) return Math.round((Math.exp((at + 0.5) * GROWTH) / 20) * 100) / 100;
    }
    return Number.POSITIVE_INFINITY;
  }
}
