import { FairShares } from '#domain/contention/fair-shares.ts';

interface Kept<T> {
  owner: string;
  value: T;
}

/**
 * Caches recently read values up to a total size in bytes, which owners (tenants) share. An owner
 * over its share loses its own oldest value; one that holds nothing takes the place of the oldest
 * of all. Concurrent readers of the same key share one read.
 */
export class ByteCache<T> {
  private readonly bytesMax: number;
  private readonly sizeOf: (value: T) => number;
  private readonly kept = new Map<string, Kept<T>>();
  private readonly reads = new Map<string, Promise<T | undefined>>();
  private readonly shares: FairShares;

  constructor(options: { bytesMax: number; sizeOf: (value: T) => number }) {
    this.bytesMax = options.bytesMax;
    this.sizeOf = options.sizeOf;
    this.shares = new FairShares(options.bytesMax);
  }

  /**
   * Returns the value cached under the key, or the result of `read`; undefined is not cached.
   *
   * @throws the error of `read`, to all callers that wait for it
   */
  get(owner: string, key: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const known = this.kept.get(key);
    if (known !== undefined) return Promise.resolve(known.value);
    let underWay = this.reads.get(key);
    if (underWay === undefined) {
      underWay = this.readAndKeep(owner, key, read).finally(() => this.reads.delete(key));
      this.reads.set(key, underWay);
    }
    return underWay;
  }

  private async readAndKeep(
    owner: string,
    key: string,
    read: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const value = await read();
    if (value === undefined) return undefined;
    const size = this.sizeOf(value);
    if (size > this.bytesMax) return value;
    while (!this.shares.tryTake(owner, size)) this.evictFor(owner);
    this.kept.set(key, { owner, value });
    return value;
  }

  private evictFor(owner: string): void {
    const holds = this.shares.heldBy(owner) > 0;
    for (const [key, entry] of this.kept) {
      if (holds && entry.owner !== owner) continue;
      this.kept.delete(key);
      this.shares.give(entry.owner, this.sizeOf(entry.value));
      return;
    }
  }
}
