import { MongoBulkWriteError } from 'mongodb';

const DUPLICATE_KEY = 11_000;

/**
 * True where an unordered bulk of inserts failed only in that documents were there already: all the others are
 * stored durably.
 */
export function isDuplicateOnly(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError)) return false;
  const faults = [error.writeErrors].flat();
  // With no fault of its own the connection failed, or what was written is not durable.
  if (faults.length === 0 || error.result.getWriteConcernError() !== undefined) return false;
  return faults.every((fault) => fault.code === DUPLICATE_KEY);
}
