/**
 * Which worker should own which shard: rendezvous hashing (Thaler and Ravishankar, 1998), so that a worker
 * that joins or goes moves only the shards that it gains or had.
 */
import { fnv1a32 } from '#wire/subjects.ts';

/** The worker, of those that live, that should own a shard; undefined where none lives. */
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

/** FNV alone leaves names that differ in one character close together (MurmurHash3's finaliser). */
function scramble(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export interface PlacementView {
  me: string;
  /** Workers that live, me included. */
  workers: readonly string[];
  /** Owners by shard; a shard that is not in it is free. */
  owners: ReadonlyMap<number, string>;
  shards: number;
}

/** What this worker should do: take what is free and its own by preference, give up what another should have. */
export function placementSteps(view: PlacementView): { take: number[]; giveUp: number[] } {
  const take: number[] = [];
  const giveUp: number[] = [];
  for (let shard = 0; shard < view.shards; shard++) {
    const mine = view.owners.get(shard) === view.me;
    const preferred = preferredOwner(shard, view.workers) === view.me;
    if (preferred && !view.owners.has(shard)) take.push(shard);
    if (mine && !preferred) giveUp.push(shard);
  }
  return { take, giveUp };
}
