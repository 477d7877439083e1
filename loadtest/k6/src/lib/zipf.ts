/**
 * Some tenants are busy and most are not: chooses tenant `i` with a share of `1 / (i + 1)` (Zipf's
 * law, with an exponent of 1).
 */
export class Zipf {
  private readonly ends: number[] = [];

  /** @param count of those to choose from */
  constructor(count: number) {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      sum += 1 / (i + 1);
      this.ends.push(sum);
    }
  }

  /** @returns an index below the count */
  pick(): number {
    const at = Math.random() * (this.ends[this.ends.length - 1] ?? 0);
    let low = 0;
    let high = this.ends.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ends[middle] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
