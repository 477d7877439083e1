import { MongoBulkWriteError } from 'mongodb';

const DUPLICATE_KEY = 11_000;

/**
 * Whether an unordered bulk insert failed only because documents existed already: all others are
 * stored durably.
 */
export function isDuplicateOnly(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError)) return false;
  const faults = [error.writeErrors].flat();
  // No fault of its own means that the connection failed; a write concern error, that the writes
  // are not durable.
  if (faults.length === 0 || error.result.getWriteConcernError() !== undefined) return false;
  return faults.every((fault) => fault.code === DUPLICATE_KEY);
}
