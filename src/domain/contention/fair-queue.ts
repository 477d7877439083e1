import { DeficitRoundRobin, Flow } from './deficit-round-robin.ts';

/**
 * Queues items for a resource that keys (tenants) share by deficit round robin. The items of a key
 * wait first in, first out; the key with the turn may spend `quantum` units before the next. So
 * however many items a key has, another waits at most one quantum for each key.
 *
 * States of a key: in the ring, while it has items -> set aside, while its head is blocked -> back
 * at the end of the ring. A key without items is forgotten, with the rest of its turn.
 *
 * Limits: the callers bound the number of items. Every step takes constant time.
 */
export class FairQueue<T> {
  private readonly ring: DeficitRoundRobin<Backlog<T>>;
  private readonly backlogs = new Map<string, Backlog<T>>();

  constructor(quantum: number) {
    this.ring = new DeficitRoundRobin(() => quantum);
  }

  /** True if there are no items, including those of keys set aside. */
  get isEmpty(): boolean {
    return this.backlogs.size === 0;
  }

  push(key: string, item: T): void {
    const known = this.backlogs.get(key);
    if (known !== undefined) {
      known.items.push(item);
      return;
    }
    const backlog = new Backlog(key, item);
    this.backlogs.set(key, backlog);
    this.ring.join(backlog.flow);
  }

  /** The first item of the key with the turn; undefined if the ring is empty. */
  head(): T | undefined {
    const backlog = this.ring.head;
    return backlog?.items[backlog.first];
  }

  /** Uses one unit of the turn. */
  spend(): void {
    this.ring.spend();
  }

  /**
   * Removes the head; the next item of its key becomes the head, in the same turn.
   *
   * @returns whether the key has more items; if not, the next key has the turn
   */
  shift(): boolean {
    const backlog = this.ring.head;
    if (backlog === undefined) return false;
    if (backlog.shift()) return true;
    this.backlogs.delete(backlog.key);
    this.ring.leave(backlog.flow);
    return false;
  }

  /** Removes the key with the turn from the ring until `resume`, as its head is blocked. */
  setAside(): void {
    const backlog = this.ring.head;
    if (backlog !== undefined) this.ring.leave(backlog.flow);
  }

  /** Returns a key that was set aside to the end of the ring. */
  resume(key: string): void {
    const backlog = this.backlogs.get(key);
    if (backlog !== undefined) this.ring.join(backlog.flow);
  }

  /** All waiting items. */
  *items(): Iterable<T> {
    for (const { items, first } of this.backlogs.values()) {
      for (let i = first; i < items.length; i++) yield items[i] as T;
    }
  }
}

/** Removed items are cut off the front of the array when there are this many. */
const COMPACT_AFTER = 64;

/** The items of one key. */
class Backlog<T> {
  readonly key: string;
  readonly items: (T | undefined)[];
  /** Index of the head; earlier items are done. */
  first = 0;
  readonly flow: Flow<Backlog<T>>;

  constructor(key: string, item: T) {
    this.key = key;
    this.items = [item];
    this.flow = new Flow<Backlog<T>>(this);
  }

  /** Removes the first item. Returns whether there are more. */
  shift(): boolean {
    this.items[this.first++] = undefined;
    if (this.first === this.items.length) return false;
    if (this.first > COMPACT_AFTER && this.first * 2 > this.items.length) {
      this.items.splice(0, this.first);
      this.first = 0;
    }
    return true;
  }
}
