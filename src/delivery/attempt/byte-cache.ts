/**
 * Caches recently read values up to a total size in bytes; evicts the oldest first. Concurrent
 * readers of the same key share one read.
 */
export class ByteCache<T> {
  private readonly bytesMax: number;
  private readonly sizeOf: (value: T) => number;
  private readonly kept = new Map<string, T>();
  private readonly reads = new Map<string, Promise<T | undefined>>();
  private keptBytes = 0;

  constructor(options: { bytesMax: number; sizeOf: (value: T) => number }) {
    this.bytesMax = options.bytesMax;
    this.sizeOf = options.sizeOf;
  }

  /**
   * Returns the value cached under the key, or the result of `read`; undefined is not cached.
   *
   * @throws the error of `read`, to all callers that wait for it
   */
  get(key: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const known = this.kept.get(key);
    if (known !== undefined) return Promise.resolve(known);
    let underWay = this.reads.get(key);
    if (underWay === undefined) {
      underWay = this.readAndKeep(key, read).finally(() => this.reads.delete(key));
      this.reads.set(key, underWay);
    }
    return underWay;
  }

  private async readAndKeep(
    key: string,
    read: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const value = await read();
    if (value === undefined) return undefined;
    this.kept.set(key, value);
    this.keptBytes += this.sizeOf(value);
    for (const [oldest, old] of this.kept) {
      if (this.keptBytes <= this.bytesMax) break;
      this.kept.delete(oldest);
      this.keptBytes -= this.sizeOf(old);
    }
    return value;
  }
}
