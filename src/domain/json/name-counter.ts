import { randomBytes } from 'node:crypto';

/**
 * Below so many names, different ones are not counted: a table costs more than it protects from.
 */
const COUNTED_FROM = 4096;
/** Of a name, so many bytes at its start and at its end, and its length, tell it from others. */
const EDGE_LENGTH = 24;
/** Nobody who does not know it can choose names that count as one. */
const SEED = randomBytes(4).readUInt32LE() | 1;

/**
 * Estimates how many different names the objects of a text have, by a hash of each: `JSON.parse`
 * keeps every different name, and makes a new kind of object for each combination. Counts a few
 * percent too few, never too many.
 */
export class NameCounter {
  private readonly most: number;
  private seen: Uint8Array | undefined;
  private different = 0;
  /** Names, repeated ones included. */
  total = 0;

  constructor(most: number) {
    this.most = most;
  }

  /**
   * Counts the name between two positions of a text; false if it is one different name too many.
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
