/**
 * Rows of a cell: the figures of one minute, hour or day of one tenant, one row for each
 * combination of its dimensions. Rows with equal dimensions add up, in any order, to the same row.
 */
import { type LogHistogram, addHistogram } from './log-histogram.ts';

/** The families of figures, each with its own cells. */
export const metricFamilies = ['events', 'deliveries', 'attempts'] as const;
export type MetricFamily = (typeof metricFamilies)[number];

export type MetricDimension =
  | 'tenant'
  | 'endpoint'
  | 'event_type'
  | 'status'
  | 'response_class'
  | 'failure';

/**
 * The stored dimensions of a family, in the order of `MetricRow.key`. Those of `wide` have as many
 * values as a tenant likes, and come first; `narrow` ones have the values of an enum.
 */
export const storedDimensions = {
  events: { wide: ['event_type'], narrow: ['status'] },
  deliveries: { wide: ['endpoint', 'event_type'], narrow: ['status'] },
  attempts: { wide: ['endpoint', 'event_type'], narrow: ['response_class', 'failure'] },
} as const satisfies Record<
  MetricFamily,
  { wide: readonly MetricDimension[]; narrow: readonly MetricDimension[] }
>;

export interface MetricRow {
  /** Values of the dimensions. Null: all values beyond the bound of the cell. */
  key: readonly (string | null)[];
  count: number;
  /** Attempts of these deliveries; of attempts: those that are not the first of their delivery. */
  attemptCount: number;
  /** Deliveries that were delivered by their first attempt. */
  firstCount: number;
  /** Milliseconds from the event to its delivery; of attempts: their duration. */
  latency: LogHistogram;
  /** The earliest event of these deliveries, in milliseconds since 1970; undefined if not known. */
  oldestMs: number | undefined;
}

/** Returns a row that counts nothing. */
export function emptyRow(key: readonly (string | null)[]): MetricRow {
  return {
    key,
    count: 0,
    attemptCount: 0,
    firstCount: 0,
    latency: new Map(),
    oldestMs: undefined,
  };
}

/** Adds the figures of `from` to `into`. */
export function addRow(into: MetricRow, from: MetricRow): void {
  into.count += from.count;
  into.attemptCount += from.attemptCount;
  into.firstCount += from.firstCount;
  addHistogram(into.latency, from.latency);
  if (from.oldestMs !== undefined) {
    into.oldestMs = Math.min(into.oldestMs ?? from.oldestMs, from.oldestMs);
  }
}

/** Adds up rows with equal keys. */
export class RowSum {
  private readonly sums = new Map<string, MetricRow>();

  /** @param key under which the row is added up */
  add(row: MetricRow, key: MetricRow['key'] = row.key): void {
    const name = JSON.stringify(key);
    let sum = this.sums.get(name);
    if (sum === undefined) this.sums.set(name, (sum = emptyRow(key)));
    addRow(sum, row);
  }

  get size(): number {
    return this.sums.size;
  }

  rows(): MetricRow[] {
    return [...this.sums.values()];
  }
}

/** Adds up rows with equal keys. @param keyOf the key under which a row is added up */
export function sumRows(
  rows: Iterable<MetricRow>,
  keyOf: (row: MetricRow) => MetricRow['key'] = ({ key }) => key,
): MetricRow[] {
  const sum = new RowSum();
  for (const row of rows) sum.add(row, keyOf(row));
  return sum.rows();
}

/** Returns the rows without the wide dimensions, which are the first of a key. */
export function totalsOf(rows: Iterable<MetricRow>, wideCount: number): MetricRow[] {
  return sumRows(rows, ({ key }) => key.slice(wideCount));
}

/**
 * Keeps the rows of the groups with the highest counts, and adds up the others with null for their
 * wide dimensions. A group is a combination of the wide dimensions: its rows stay together, so that
 * its rates are right. Equal rows give an equal result, in whichever order they are.
 */
export function boundRows(
  rows: readonly MetricRow[],
  wideCount: number,
  groupsMax: number,
): MetricRow[] {
  const groups = new Map<string, { name: string; count: number; isRest: boolean }>();
  for (const { key, count } of rows) {
    const name = groupName(key, wideCount);
    const group = groups.get(name) ?? { name, count: 0, isRest: key[0] === null };
    group.count += count;
    groups.set(name, group);
  }
  const named = [...groups.values()].filter(({ isRest }) => !isRest);
  if (named.length <= groupsMax) return [...rows];
  named.sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
  const kept = new Set(named.slice(0, groupsMax).map(({ name }) => name));
  return sumRows(rows, ({ key }) =>
    kept.has(groupName(key, wideCount))
      ? key
      : [...key.slice(0, wideCount).map(() => null), ...key.slice(wideCount)],
  );
}

/** Whether rows were added up beyond the bound of their cell. */
export function isBounded(rows: readonly MetricRow[]): boolean {
  return rows.some(({ key }) => key[0] === null);
}

function groupName(key: readonly (string | null)[], wideCount: number): string {
  return JSON.stringify(key.slice(0, wideCount));
}
