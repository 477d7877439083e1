/**
 * Work of many, taken in turns (deficit round robin): what is pushed under one key waits in a lane, first in
 * first out; lanes that hold work stand in a ring, and the one whose turn it is may spend `turn` units before
 * the next. So what waits behind a lane of any length is at most one turn for each other lane.
 *
 * A lane is: in the ring, while it holds work -> put aside, while its head may not go on -> back at the end of
 * the ring. A lane that is empty is forgotten, and what was left of its turn with it.
 *
 * Limits: as much as is pushed; whoever pushes bounds that. Every step costs the same, however many lanes.
 */
export class FairQueue<T> {
  private readonly turn: number;
  private readonly lanes = new Map<string, Lane<T>>();
  /** The lane whose turn it is; its `previous` is the last of the ring. */
  private current: Lane<T> | undefined;
  private left: number;

  constructor(turn: number) {
    this.turn = turn;
    this.left = turn;
  }

  /** True where nothing waits, not even aside. */
  get isEmpty(): boolean {
    return this.lanes.size === 0;
  }

  push(key: string, item: T): void {
    const lane = this.lanes.get(key);
    if (lane !== undefined) {
      lane.items.push(item);
      return;
    }
    const made = { key, items: [item], first: 0, aside: false } as unknown as Lane<T>;
    this.lanes.set(key, made);
    this.join(made);
  }

  /** The first item of the lane whose turn it is; undefined where there is none in the ring. */
  head(): T | undefined {
    const lane = this.current;
    return lane?.items[lane.first];
  }

  /** A unit of the turn is used. */
  spend(): void {
    if (--this.left <= 0 && this.current !== undefined) this.pass(this.current.next);
  }

  /** The head is done: the next of its lane comes up, in the same turn. */
  shift(): void {
    const lane = this.current;
    if (lane === undefined) return;
    lane.items[lane.first++] = undefined;
    if (lane.first === lane.items.length) {
      this.lanes.delete(lane.key);
      this.leave(lane);
    } else if (lane.first > COMPACT_AFTER && lane.first * 2 > lane.items.length) {
      lane.items.splice(0, lane.first);
      lane.first = 0;
    }
  }

  /** The head cannot go on: its lane leaves the ring until it is resumed. */
  setAside(): void {
    const lane = this.current;
    if (lane === undefined) return;
    lane.aside = true;
    this.leave(lane);
  }

  /** Puts a lane back that was set aside, at the end of the ring. */
  resume(key: string): void {
    const lane = this.lanes.get(key);
    if (lane === undefined || !lane.aside) return;
    lane.aside = false;
    this.join(lane);
  }

  /** All that waits. */
  *items(): Iterable<T> {
    for (const { items, first } of this.lanes.values()) {
      for (let i = first; i < items.length; i++) yield items[i] as T;
    }
  }

  private join(lane: Lane<T>): void {
    const { current } = this;
    if (current === undefined) {
      lane.next = lane;
      lane.previous = lane;
      this.pass(lane);
      return;
    }
    lane.next = current;
    lane.previous = current.previous;
    current.previous.next = lane;
    current.previous = lane;
  }

  private leave(lane: Lane<T>): void {
    if (lane.next === lane) {
      this.current = undefined;
      return;
    }
    lane.previous.next = lane.next;
    lane.next.previous = lane.previous;
    this.pass(lane.next);
  }

  private pass(lane: Lane<T>): void {
    this.current = lane;
    this.left = this.turn;
  }
}

interface Lane<T> {
  key: string;
  items: (T | undefined)[];
  /** Position of the head; what stands before it is done. */
  first: number;
  aside: boolean;
  next: Lane<T>;
  previous: Lane<T>;
}

const COMPACT_AFTER = 64;
