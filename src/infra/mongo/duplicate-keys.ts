import { MongoBulkWriteError, type WriteError } from 'mongodb';

const DUPLICATE_KEY = 11_000;

/**
 * The failed operations of an unordered bulk write, if they failed only because their documents
 * existed already: all others are stored durably then. Undefined for every other error.
 */
export function duplicateKeys(error: unknown): readonly WriteError[] | undefined {
  if (!(error instanceof MongoBulkWriteError)) return undefined;
  const faults = [error.writeErrors].flat();
  // No fault of its own means that the connection failed; a write concern error, that the writes
  // are not durable.
  if (faults.length === 0 || error.result.getWriteConcernError() !== undefined) return undefined;
  return faults.every((fault) => fault.code === DUPLICATE_KEY) ? faults : undefined;
}
