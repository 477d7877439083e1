/**
 * Which worker should own which shard: rendezvous hashing (Thaler and Ravishankar, 1998). A worker
 * that joins or leaves moves only its own shards.
 */
import { fnv1a32 } from '#wire/subjects.ts';

/** The live worker that should own a shard; undefined if none lives. */
export function preferredOwner(shard: number, workers: readonly string[]): string | undefined {
  let owner: string | undefined;
  let best = -1;
  for (const worker of workers) {
    const score = scramble(fnv1a32(`${shard}/${worker}`));
    if (score > best || (score === best && worker < (owner as string))) {
      best = score;
      owner = worker;
    }
  }
  return owner;
}

/**
 * FNV alone gives similar hashes to names that differ in one character (finaliser of MurmurHash3).
 */
function scramble(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export interface PlacementView {
  me: string;
  /** Live workers, this one included. */
  workers: readonly string[];
  /** Owners by shard; a missing shard is free. */
  owners: ReadonlyMap<number, string>;
  shards: number;
}

/**
 * The next steps of this worker: acquire free shards that prefer it, release shards that prefer
 * another.
 */
export function placementSteps(view: PlacementView): { acquire: number[]; release: number[] } {
  const acquire: number[] = [];
  const release: number[] = [];
  for (let shard = 0; shard < view.shards; shard++) {
    const mine = view.owners.get(shard) === view.me;
    const preferred = preferredOwner(shard, view.workers) === view.me;
    if (preferred && !view.owners.has(shard)) acquire.push(shard);
    if (mine && !preferred) release.push(shard);
  }
  return { acquire, release };
}
