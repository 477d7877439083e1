/**
 * What was read of late, kept in memory up to a number of bytes: the oldest goes first. Those who want the same at once
 * share one read.
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
   * What is kept under the key, or what `read` gives; undefined is not kept.
   *
   * @throws what `read` throws, to all who wait for it
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
