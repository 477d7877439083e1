import { isWithinShare } from './fair-shares.ts';

/** How many of an owner's oldest entries are looked at for one that may go. */
const TRIES = 16;

/**
 * A bounded map that many owners share, such as the tenants of a process. An owner that has used up its share loses its own
 * least recently used entry to its next one, and never one of somebody else's.
 */
export class SharedLru<V> {
  private readonly max: number;
  private readonly mayGo: (value: V) => boolean;
  private readonly entries = new Map<string, { owner: string; value: V }>();
  /** The keys of each owner, the most recently used last. */
  private readonly owners = new Map<string, Set<string>>();

  /** @param options.mayGo false while an entry is in use, and cannot make room; absent: each may go */
  constructor(options: { max: number; mayGo?: (value: V) => boolean }) {
    this.max = options.max;
    this.mayGo = options.mayGo ?? (() => true);
  }

  get size(): number {
    return this.entries.size;
  }

  /** The value, which counts as used now. */
  get(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    const keys = this.owners.get(entry.owner);
    keys?.delete(key);
    keys?.add(key);
    return entry.value;
  }

  /** The value, without counting as a use. */
  peek(key: string): V | undefined {
    return this.entries.get(key)?.value;
  }

  /** Keeps a value under a key that is new, or replaces the one there; false where there is no room for this owner. */
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
      // In use: not the oldest any more, so that the next look does not meet it first.
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
