import { isWithinShare } from '../contention/fair-shares.ts';

/**
 * Remembers the ids that were added last, in two generations: ids move to the older one when the
 * recent one is full. Owners (tenants) share the recent generation. An owner over its share moves
 * its own ids, and those of other owners stay.
 *
 * Bounds: `max` recent ids, and at most twice as many older ones. A step takes constant time.
 */
export class RecentIds {
  private readonly max: number;
  private recent = new Map<string, Set<string>>();
  private older = new Map<string, Set<string>>();
  /** Of the recent generation. */
  private size = 0;

  constructor(max: number) {
    this.max = max;
  }

  has(owner: string, id: string): boolean {
    return this.recent.get(owner)?.has(id) === true || this.older.get(owner)?.has(id) === true;
  }

  add(owner: string, id: string): void {
    const ids = this.roomOf(owner);
    const before = ids.size;
    ids.add(id);
    this.size += ids.size - before;
    if (this.size < this.max) return;
    this.older = this.recent;
    this.recent = new Map();
    this.size = 0;
  }

  /** The recent ids of an owner, with room for one more. */
  private roomOf(owner: string): Set<string> {
    const ids = this.recent.get(owner);
    if (ids !== undefined && isWithinShare(ids.size, 1, this.max - this.size)) return ids;
    if (ids !== undefined) {
      this.older.set(owner, ids);
      this.size -= ids.size;
    }
    const fresh = new Set<string>();
    this.recent.set(owner, fresh);
    return fresh;
  }
}
