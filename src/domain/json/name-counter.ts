import { randomBytes } from 'node:crypto';

/**
 * Below this many names, distinct ones are not counted: the table would cost more than it saves.
 */
const COUNTED_FROM = 4096;
/** Names are distinguished by this many bytes at both ends, and by their length. */
const EDGE_LENGTH = 24;
/** Random, so that a sender cannot choose names that collide. */
const SEED = randomBytes(4).readUInt32LE() | 1;

/**
 * Estimates the number of distinct names in a text's objects, by a hash of each: `JSON.parse` keeps
 * every distinct name, and makes a new object shape for each combination. Counts a few percent too
 * few, never too many.
 */
export class NameCounter {
  private readonly most: number;
  private seen: Uint8Array | undefined;
  private different = 0;
  /** Names, including repeated ones. */
  total = 0;

  constructor(most: number) {
    this.most = most;
  }

  /**
   * Counts the name between two positions of a text; false if it exceeds the bound of distinct
   * names.
   */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    if (++this.total <= COUNTED_FROM) return true;
    this.seen ??= new Uint8Array(2 ** Math.ceil(Math.log2(this.most * 4)));
    const slot = hash(bytes, start, end) & (this.seen.length - 1);
    if (this.seen[slot] === 1) return true;
    this.seen[slot] = 1;
    return ++this.different <= this.most;
  }
}

function hash(bytes: Uint8Array, start: number, end: number): number {
  let h = SEED ^ (end - start);
  const edge = Math.min(end, start + EDGE_LENGTH);
  for (let i = start; i < edge; i++) h = Math.imul(h ^ (bytes[i] as number), SEED);
  for (let i = Math.max(edge, end - EDGE_LENGTH); i < end; i++) {
    h = Math.imul(h ^ (bytes[i] as number), SEED);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}
