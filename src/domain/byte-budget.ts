/** Bytes that a process may hold at once for one purpose; who finds no room is turned away, and comes again. */
export class ByteBudget {
  private readonly max: number;
  private used = 0;

  constructor(max: number) {
    this.max = max;
  }

  /**
   * Takes some. What is larger than all of it has room while nothing else is there.
   *
   * @returns what gives it back (further calls do nothing); undefined where there is no room
   */
  tryTake(bytes: number): (() => void) | undefined {
    if (this.used > 0 && this.used + bytes > this.max) return undefined;
    this.used += bytes;
    let held = bytes;
    return () => {
      this.used -= held;
      held = 0;
    };
  }
}
