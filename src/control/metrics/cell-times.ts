/**
 * When cells are computed. A minute is open until 35 s after its end: it is computed every 30 s
 * without further marks. Later records mark it, and it is computed again after a twentieth of its
 * age, so that a delivery with many retries does not cause a computation for each.
 */
import { type StoredWidth, widthMs } from '#domain/metrics/granularity.ts';

const OPEN_EVERY_MS = 30_000;
/** A projector leaves out marks only until 5 s after the end: clocks may differ by 30 s. */
const UNMARKED_MS = 5000;
const OPEN_AFTER_END_MS = 35_000;
const LATE_MIN_MS = 5000;
const LATE_MAX_MS = 15 * 60_000;
/** Hours and days wait for the cells that they are built from. */
const CLOSE_MS = 90_000;

/** Minutes older than this expire soon: later records go into their hour, from the history. */
export const MINUTES_USED_MS = 47 * 3600 * 1000;

/** Whether a minute is open: its cell is computed again without a mark. */
export function isOpen(width: StoredWidth, startMs: number, nowMs: number): boolean {
  return width === '1m' && nowMs < startMs + widthMs(width) + OPEN_AFTER_END_MS;
}

/** Whether a process that has marked a minute may leave out further marks. */
export function needsNoMark(width: StoredWidth, startMs: number, nowMs: number): boolean {
  return width === '1m' && nowMs < startMs + widthMs(width) + UNMARKED_MS;
}

/** Returns when an open minute is computed again, in milliseconds since 1970. */
export function nextOpenMs(nowMs: number): number {
  return nowMs + OPEN_EVERY_MS;
}

/** Returns when a cell that is marked now is computed, in milliseconds since 1970. */
export function dueMs(width: StoredWidth, startMs: number, nowMs: number): number {
  const lateMs = Math.min(LATE_MAX_MS, Math.max(LATE_MIN_MS, (nowMs - startMs) / 20));
  const soonMs = Math.round(nowMs + lateMs);
  return width === '1m' ? soonMs : Math.max(soonMs, startMs + widthMs(width) + CLOSE_MS);
}
