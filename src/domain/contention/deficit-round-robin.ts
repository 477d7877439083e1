/**
 * Arbitrates between flows by deficit round robin (Shreedhar and Varghese, 1995): flows with work
 * form a ring, and the flow with the turn may spend its quantum before the next one. Each unit of
 * work costs one, so a flow never owes anything at the end of its turn.
 *
 * Bounds: a flow waits for at most one quantum of every other flow in the ring. Over any time in
 * which two flows stay in the ring, the work of each differs from its share by at most one quantum.
 *
 * Every operation takes constant time and allocates nothing: an owner keeps its `Flow`.
 */
export class Flow<T> {
  readonly owner: T;
  /** Neighbours in the ring; undefined while the flow is in none. Only the ring writes them. */
  next: Flow<T> | undefined;
  previous: Flow<T> | undefined;

  constructor(owner: T) {
    this.owner = owner;
    this.next = undefined;
    this.previous = undefined;
  }
}

export class DeficitRoundRobin<T> {
  private readonly quantumOf: (owner: T) => number;
  private current: Flow<T> | undefined = undefined;
  /** Units left in the turn; 0: the turn has not begun. */
  private left = 0;
  private count = 0;

  /** @param quantumOf units in one turn, at least 1; read when the turn's first unit is spent */
  constructor(quantumOf: (owner: T) => number) {
    this.quantumOf = quantumOf;
  }

  /** The number of flows in the ring. */
  get size(): number {
    return this.count;
  }

  /** The owner of the flow with the turn; undefined if the ring is empty. */
  get head(): T | undefined {
    return this.current?.owner;
  }

  /** Adds the flow at the end of the ring; does nothing if it is in the ring. */
  join(flow: Flow<T>): void {
    if (flow.next !== undefined) return;
    const { current } = this;
    this.count++;
    if (current === undefined) {
      flow.next = flow;
      flow.previous = flow;
      this.current = flow;
      return;
    }
    const last = current.previous as Flow<T>;
    flow.next = current;
    flow.previous = last;
    last.next = flow;
    current.previous = flow;
  }

  /** Removes the flow, with the rest of its turn; does nothing if it is not in the ring. */
  leave(flow: Flow<T>): void {
    const { next, previous } = flow;
    if (next === undefined || previous === undefined) return;
    this.count--;
    flow.next = undefined;
    flow.previous = undefined;
    if (next === flow) {
      this.current = undefined;
      this.left = 0;
      return;
    }
    previous.next = next;
    next.previous = previous;
    if (this.current === flow) this.begin(next);
  }

  /** Spends one unit of the turn. After the last unit the next flow has the turn. */
  spend(): void {
    const { current } = this;
    if (current === undefined) return;
    if (this.left === 0) this.left = this.quantumOf(current.owner);
    if (--this.left <= 0) this.begin(current.next as Flow<T>);
  }

  /** Ends the turn: the flow goes to the end of the ring. */
  pass(): void {
    if (this.current !== undefined) this.begin(this.current.next as Flow<T>);
  }

  private begin(flow: Flow<T>): void {
    this.current = flow;
    this.left = 0;
  }
}
