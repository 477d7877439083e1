/**
 * Shares a resource between keys by deficit round robin. Items pushed under one key wait in its
 * lane, first in first out. Lanes with items form a ring; the current lane may spend `turn` units
 * before the next. So the wait for a turn is at most one turn of each other lane, however many
 * items it holds.
 *
 * States of a lane: in the ring, while it has items -> set aside, while its head is blocked -> back
 * at the end of the ring. An empty lane is forgotten, with the rest of its turn.
 *
 * Limits: the callers bound the number of items. Every step takes constant time.
 */
export class FairQueue<T> {
  private readonly turn: number;
  private readonly lanes = new Map<string, Lane<T>>();
  /** The lane with the turn; its `previous` is the last of the ring. */
  private current: Lane<T> | undefined;
  private left: number;

  constructor(turn: number) {
    this.turn = turn;
    this.left = turn;
  }

  /** True if there are no items, including lanes set aside. */
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

  /** The first item of the current lane; undefined if the ring is empty. */
  head(): T | undefined {
    const lane = this.current;
    return lane?.items[lane.first];
  }

  /** Uses one unit of the turn. */
  spend(): void {
    if (--this.left <= 0 && this.current !== undefined) this.pass(this.current.next);
  }

  /** Removes the head; the next item of its lane becomes the head, in the same turn. */
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

  /** Removes the current lane from the ring until `resume`, as its head is blocked. */
  setAside(): void {
    const lane = this.current;
    if (lane === undefined) return;
    lane.aside = true;
    this.leave(lane);
  }

  /** Returns a lane that was set aside to the end of the ring. */
  resume(key: string): void {
    const lane = this.lanes.get(key);
    if (lane === undefined || !lane.aside) return;
    lane.aside = false;
    this.join(lane);
  }

  /** All waiting items. */
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
  /** Index of the head; earlier items are done. */
  first: number;
  aside: boolean;
  next: Lane<T>;
  previous: Lane<T>;
}

const COMPACT_AFTER = 64;
