/**
 * Reads pages and counts of a list within bounds.
 *
 * A list whose filters an index serves reads only the documents that it shows. Every other list is
 * scanned along its best index, in chunks: the end of a chunk is found in the index alone, then the
 * chunk is compared with the other filters. A scan stops at `limits.searchExaminedMax` documents or
 * after `limits.searchMsMax`, and says where. Each chunk takes a turn of its own among the
 * searches, so that the scans of one tenant do not delay another's.
 */
import type { Collection, Document, Filter, FindCursor } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import type { ListOrder } from '#wire/api/page.ts';
import { type IndexKey, isMissingIndex } from '#infra/mongo/history/list-indexes.ts';
import { type FairSearches, SEARCH_MS_MAX } from '../history/fair-searches.ts';
import { behind, type Position, timeOrder, upTo } from '../history/time-order.ts';
import type { ListPlan } from './list-plan.ts';

const CHUNK_FIRST = 1000;
const CHUNK_MAX = 8000;
/** Documents that are compared here are read in parts of this many. */
const READ_AT_ONCE = 500;

/** The field that a list is sorted by. */
export type TimeField = 'accepted_at' | 'started_at';

export interface ListSearch<D extends Document> {
  collection: Collection<D>;
  /** Life id of the tenant whose turns it takes; empty for a search of the platform. */
  owner: string;
  timeField: TimeField;
  plan: ListPlan;
  order: ListOrder;
  /** Fields to leave out. */
  without: readonly string[];
  /** Compares what MongoDB cannot; reads the fields of `without` too. */
  matches?: (document: D) => Promise<boolean>;
}

/** Where and why a scan stopped before the end of the list. */
export interface Stop {
  reason: 'examined_limit' | 'time_limit';
  examined: number;
  position: Position;
}

export interface Found<D> {
  documents: D[];
  stop: Stop | null;
}

export interface Counted {
  /** At most `limits.countExactMax`. */
  count: number;
  /** There are more than that. */
  more: boolean;
  stop: Stop | null;
}

interface Chunk {
  after: Position | undefined;
  /** Undefined: the list ends within the chunk. */
  end: Position | undefined;
}

export class BoundedSearch {
  private readonly searches: FairSearches;
  private readonly clock: Pick<Clock, 'monotonicMs'>;

  constructor(searches: FairSearches, clock: Pick<Clock, 'monotonicMs'>) {
    this.searches = searches;
    this.clock = clock;
  }

  /** Finds up to `wanted` documents behind a position. */
  async find<D extends Document>(
    search: ListSearch<D>,
    after: Position | undefined,
    wanted: number,
  ): Promise<Found<D>> {
    const documents: D[] = [];
    const stop = await this.scan(search, after, async (chunk) => {
      const missing = wanted - documents.length;
      documents.push(...(await hinted(search, (hint) => read(search, chunk, missing, hint))));
      return documents.length < wanted;
    });
    return { documents, stop };
  }

  /** Counts, exactly up to `limits.countExactMax`. */
  async count<D extends Document>(search: ListSearch<D>): Promise<Counted> {
    const max = limits.countExactMax;
    let count = 0;
    const stop = await this.scan(search, undefined, async (chunk) => {
      const missing = max + 1 - count;
      count += await hinted(search, (hint) => countChunk(search, chunk, missing, hint));
      return count <= max;
    });
    return { count: Math.min(count, max), more: count > max, stop };
  }

  /**
   * Calls `use` with chunk after chunk, until it returns false, the list ends or a bound is
   * reached.
   */
  private async scan<D extends Document>(
    search: ListSearch<D>,
    from: Position | undefined,
    use: (chunk: Chunk) => Promise<boolean>,
  ): Promise<Stop | null> {
    const turn = <T>(work: () => Promise<T>): Promise<T> => this.searches.run(search.owner, work);
    if (isIndexed(search)) {
      await turn(() => use({ after: from, end: undefined }));
      return null;
    }
    const untilMs = this.clock.monotonicMs() + limits.searchMsMax;
    let after = from;
    let examined = 0;
    for (let size = CHUNK_FIRST; ; size = Math.min(size * 2, CHUNK_MAX)) {
      const left = Math.min(size, limits.searchExaminedMax - examined);
      const start = after;
      const end = await turn(() => hinted(search, (hint) => endOf(search, start, left, hint)));
      const goesOn = await turn(() => use({ after: start, end }));
      if (!goesOn || end === undefined) return null;
      after = end;
      examined += left;
      const stop = { examined, position: end };
      if (examined >= limits.searchExaminedMax) return { reason: 'examined_limit', ...stop };
      if (this.clock.monotonicMs() >= untilMs) return { reason: 'time_limit', ...stop };
    }
  }
}

/** Whether the list reads only documents that it shows. */
function isIndexed<D extends Document>({ plan, matches }: ListSearch<D>): boolean {
  return plan.scanned.length === 0 && matches === undefined;
}

type Hint = { hint?: IndexKey };

/** Uses the index of the plan, or one that MongoDB selects while that index is being built. */
async function hinted<D extends Document, T>(
  { plan }: ListSearch<D>,
  work: (hint: Hint) => Promise<T>,
): Promise<T> {
  try {
    return await work({ hint: plan.index.key });
  } catch (error) {
    if (!isMissingIndex(error)) throw error;
    return work({});
  }
}

/** Finds the last of the next `size` documents in the index; undefined: there are fewer. */
async function endOf<D extends Document>(
  { collection, plan, timeField, order }: ListSearch<D>,
  after: Position | undefined,
  size: number,
  hint: Hint,
): Promise<Position | undefined> {
  const conditions = [...plan.indexed, ...behind(timeField, order, after)];
  const [last] = await collection
    .find(all(conditions), { ...hint, maxTimeMS: SEARCH_MS_MAX })
    .project<Record<string, unknown>>({ [timeField]: 1, _id: 1 })
    .sort(timeOrder(timeField, order))
    .skip(size - 1)
    .limit(1)
    .toArray();
  if (last === undefined) return undefined;
  return { at: last[timeField] as Date, id: String(last['_id']) };
}

async function read<D extends Document>(
  search: ListSearch<D>,
  chunk: Chunk,
  wanted: number,
  hint: Hint,
): Promise<D[]> {
  const { matches, without } = search;
  if (matches === undefined) {
    const leftOut = Object.fromEntries(without.map((field) => [field, 0]));
    return openChunk(search, chunk, hint).project<D>(leftOut).limit(wanted).toArray();
  }
  const found: D[] = [];
  await forEachMatch(openChunk(search, chunk, hint), matches, (document) => {
    for (const field of without) delete (document as Record<string, unknown>)[field];
    return found.push(document) < wanted;
  });
  return found;
}

async function countChunk<D extends Document>(
  search: ListSearch<D>,
  chunk: Chunk,
  max: number,
  hint: Hint,
): Promise<number> {
  const { collection, matches } = search;
  if (matches === undefined) {
    const options = { ...hint, limit: max, maxTimeMS: SEARCH_MS_MAX };
    return collection.countDocuments(all(conditionsOf(search, chunk)), options);
  }
  let count = 0;
  await forEachMatch(openChunk(search, chunk, hint), matches, () => ++count < max);
  return count;
}

/** Opens the documents of a chunk that meet the conditions, in the order of the list. */
function openChunk<D extends Document>(
  search: ListSearch<D>,
  chunk: Chunk,
  hint: Hint,
): FindCursor<D> {
  const { collection, timeField, order } = search;
  const options = { ...hint, maxTimeMS: SEARCH_MS_MAX, batchSize: READ_AT_ONCE };
  const found = collection.find<D>(all(conditionsOf(search, chunk)), options);
  return found.sort(timeOrder(timeField, order));
}

function conditionsOf<D extends Document>(
  { plan, timeField, order }: ListSearch<D>,
  { after, end }: Chunk,
): object[] {
  return [
    ...plan.indexed,
    ...behind(timeField, order, after),
    ...(end === undefined ? [] : upTo(timeField, order, end)),
    ...plan.scanned,
  ];
}

/** Calls `use` with each match, until it returns false. */
async function forEachMatch<D extends Document>(
  cursor: FindCursor<D>,
  matches: (document: D) => Promise<boolean>,
  use: (document: D) => boolean,
): Promise<void> {
  try {
    for await (const document of cursor) {
      if ((await matches(document)) && !use(document)) return;
    }
  } finally {
    await cursor.close();
  }
}

function all<D extends Document>(conditions: object[]): Filter<D> {
  return { $and: conditions };
}
