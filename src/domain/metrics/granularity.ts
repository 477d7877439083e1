/** Widths of time buckets, aligned to UTC. */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The widths that are stored; each is built from the one before. */
export const storedWidths = ['1m', '1h', '1d'] as const;
export type StoredWidth = (typeof storedWidths)[number];

/** The widths that can be asked for. */
export const granularities = ['1m', '5m', '15m', '1h', '6h', '1d'] as const;
export type Granularity = (typeof granularities)[number];

const WIDTHS_MS: Record<Granularity, number> = {
  '1m': MINUTE_MS,
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  '1h': HOUR_MS,
  '6h': 6 * HOUR_MS,
  '1d': DAY_MS,
};

/** How long the cells of a stored width are kept, from their start. */
export const keptMs: Record<StoredWidth, number> = {
  '1m': 2 * DAY_MS,
  '1h': 90 * DAY_MS,
  '1d': 2 * 365 * DAY_MS,
};

/** Returns the width of a granularity in milliseconds. */
export function widthMs(granularity: Granularity): number {
  return WIDTHS_MS[granularity];
}

/** Returns the start of the bucket that holds a time. */
export function bucketStartMs(granularity: Granularity, ms: number): number {
  const width = WIDTHS_MS[granularity];
  return Math.floor(ms / width) * width;
}

/** Returns the stored width that the buckets of a granularity are added up from. */
export function storedWidthOf(granularity: Granularity): StoredWidth {
  if (granularity === '1d') return '1d';
  return WIDTHS_MS[granularity] >= HOUR_MS ? '1h' : '1m';
}

/** Returns the stored width from which the cells of a wider one are built; undefined for `1m`. */
export function narrowerWidth(width: StoredWidth): StoredWidth | undefined {
  return storedWidths[storedWidths.indexOf(width) - 1];
}

/** Returns the stored width that is built from this one; undefined for `1d`. */
export function widerWidth(width: StoredWidth): StoredWidth | undefined {
  return storedWidths[storedWidths.indexOf(width) + 1];
}
