import { isWithinShare } from '../contention/fair-shares.ts';

/** How many of an owner's oldest entries are tried for eviction. */
const TRIES = 16;

/**
 * A bounded map shared by many owners, such as the tenants of a process. An owner that has used up
 * its share evicts its own least recently used entry, never an entry of another owner.
 */
export class SharedLru<V> {
  private readonly max: number;
  private readonly mayGo: (value: V) => boolean;
  private readonly entries = new Map<string, { owner: string; value: V }>();
  /** The keys of each owner, the most recently used last. */
  private readonly owners = new Map<string, Set<string>>();

  /** @param options.mayGo false while an entry is in use and must stay; absent: always true */
  constructor(options: { max: number; mayGo?: (value: V) => boolean }) {
    this.max = options.max;
    this.mayGo = options.mayGo ?? (() => true);
  }

  get size(): number {
    return this.entries.size;
  }

  /** Returns the value and marks it as used. */
  get(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    const keys = this.owners.get(entry.owner);
    keys?.delete(key);
    keys?.add(key);
    return entry.value;
  }

  /** Returns the value without marking it as used. */
  peek(key: string): V | undefined {
    return this.entries.get(key)?.value;
  }

  /** Sets or replaces the value of a key; false if there is no room for this owner. */
  set(owner: string, key: string, value: V): boolean {
    this.delete(key);
    const held = this.owners.get(owner)?.size ?? 0;
    const hasRoom =
      isWithinShare(held, 1, this.max - this.entries.size) ||
      this.makeRoom(held > 0 ? owner : this.largestOwner());
    if (!hasRoom) return false;
    this.entries.set(key, { owner, value });
    const keys = this.owners.get(owner);
    if (keys === undefined) this.owners.set(owner, new Set([key]));
    else keys.add(key);
    return true;
  }

  delete(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    const keys = this.owners.get(entry.owner);
    keys?.delete(key);
    if (keys?.size === 0) this.owners.delete(entry.owner);
  }

  private makeRoom(owner: string): boolean {
    let tries = TRIES;
    for (const key of this.owners.get(owner) ?? []) {
      if (tries-- === 0) return false;
      const entry = this.entries.get(key);
      if (entry !== undefined && this.mayGo(entry.value)) {
        this.delete(key);
        return true;
      }
      // In use: mark it, so that the next eviction does not try it first.
      this.get(key);
    }
    return false;
  }

  private largestOwner(): string {
    let largest = '';
    let most = 0;
    for (const [owner, { size }] of this.owners) {
      if (size > most) [largest, most] = [owner, size];
    }
    return largest;
  }
}
