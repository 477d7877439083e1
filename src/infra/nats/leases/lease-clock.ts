/**
 * The end of a lease in memory that two threads share: the renewing thread writes it, and the owner
 * reads it before it works on its shard. Times are milliseconds of the owner's monotonic clock,
 * kept as microseconds.
 */
export class LeaseEnd {
  readonly memory: SharedArrayBuffer;
  private readonly view: BigInt64Array;

  constructor(memory = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.view = new BigInt64Array(memory);
  }

  get ms(): number {
    return Number(Atomics.load(this.view, 0)) / 1000;
  }

  set ms(value: number) {
    Atomics.store(this.view, 0, BigInt(Math.floor(value * 1000)));
  }
}
