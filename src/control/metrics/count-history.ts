/** Counts the history of a tenant in a time range, grouped by the stored dimensions of a family. */
import type { ClientSession, Document } from 'mongodb';
import { bucketing } from '#domain/metrics/log-histogram.ts';
import {
  type MetricFamily,
  type MetricRow,
  emptyRow,
  sumRows,
} from '#domain/metrics/metric-row.ts';
import { deliveryStatuses } from '#domain/outcome/delivery.ts';
import type { History } from '#infra/mongo/documents.ts';

export interface CountedRange {
  family: MetricFamily;
  /** Life id. */
  tenant: string;
  startMs: number;
  /** Exclusive. */
  endMs: number;
  /** Undefined: all. */
  endpoints: readonly string[] | undefined;
}

/** A group of the aggregation: rows without their histogram, and one bucket of it. */
interface Group {
  _id: { k: string[]; b: number | null };
  n: number;
  a: number;
  f: number;
  o: Date | null;
}

const COUNT_MS_MAX = 60_000;

/** @throws MongoError */
export async function countHistory(
  history: History,
  range: CountedRange,
  session: ClientSession,
): Promise<MetricRow[]> {
  const { family } = range;
  const collection = history[family];
  const groups = await collection
    .aggregate<Group>([matched(range), { $group: grouped[family] }], {
      session,
      maxTimeMS: COUNT_MS_MAX,
      readConcern: { level: 'majority' },
      readPreference: 'primary',
    })
    .toArray();
  return sumRows(groups.map(toRow));
}

function matched({ family, tenant, startMs, endMs, endpoints }: CountedRange): Document {
  const time = { $gte: new Date(startMs), $lt: new Date(endMs) };
  const condition: Document = { tenant };
  condition[family === 'attempts' ? 'started_at' : 'accepted_at'] = time;
  // A document without a sequence is a claim of ingress, not an event.
  if (family === 'events') condition['seq'] = { $exists: true };
  if (endpoints === undefined) return { $match: condition };
  condition['endpoint'] = { $in: [...endpoints] };
  // The index on endpoint, status and time needs each of them.
  if (family === 'deliveries') condition['state.status'] = { $in: [...deliveryStatuses] };
  return { $match: condition };
}

const isDelivered = { $eq: ['$state.status', 'delivered'] };
const isWaiting = { $in: ['$state.status', ['pending', 'held']] };
const attemptCount = { $size: { $objectToArray: { $ifNull: ['$attempts', {}] } } };
const isFirst = { $and: [isDelivered, { $lte: [attemptCount, 1] }] };
const none = { a: { $sum: 0 }, f: { $sum: 0 }, o: { $min: null } };

const grouped: Record<MetricFamily, Document> = {
  events: {
    _id: { k: ['$type', eventStatus()], b: null },
    n: { $sum: 1 },
    ...none,
  },
  deliveries: {
    _id: {
      k: ['$endpoint', '$type', '$state.status'],
      b: { $cond: [isDelivered, bucketOf({ $subtract: ['$state.at', '$accepted_at'] }), null] },
    },
    n: { $sum: 1 },
    // While it waits, its attempts are not final.
    a: { $sum: { $cond: [isWaiting, 0, attemptCount] } },
    f: { $sum: { $cond: [isFirst, 1, 0] } },
    o: { $min: { $cond: [isWaiting, '$accepted_at', null] } },
  },
  attempts: {
    _id: {
      k: ['$endpoint', '$type', responseClass(), { $ifNull: ['$failure', 'none'] }],
      b: bucketOf('$duration_ms'),
    },
    n: { $sum: 1 },
    a: { $sum: { $cond: [{ $gt: ['$no', 1] }, 1, 0] } },
    f: { $sum: 0 },
    o: { $min: null },
  },
};

function eventStatus(): Document {
  const isMatched = { $cond: [{ $gt: ['$routed', 0] }, 'matched', 'unmatched'] };
  return { $cond: [{ $eq: [{ $type: '$routed' }, 'missing'] }, 'accepted', isMatched] };
}

function responseClass(): Document {
  const digit = { $toString: { $floor: { $divide: ['$response_status', 100] } } };
  const isAbsent = { $eq: [{ $type: '$response_status' }, 'missing'] };
  return { $cond: [isAbsent, 'none', { $concat: [digit, 'xx'] }] };
}

/** As `bucketOf` of the histogram. */
function bucketOf(ms: unknown): Document {
  const { logGrowth, min, max } = bucketing;
  const bucket = { $toInt: { $ceil: { $divide: [{ $ln: ms }, logGrowth] } } };
  return { $cond: [{ $gt: [ms, 0] }, { $min: [max, { $max: [min, bucket] }] }, min] };
}

function toRow({ _id: { k, b }, n, a, f, o }: Group): MetricRow {
  const row = emptyRow(k);
  row.count = n;
  row.attemptCount = a;
  row.firstCount = f;
  if (b !== null) row.latency.set(b, n);
  if (o !== null) row.oldestMs = o.getTime();
  return row;
}
