/**
 * MongoDB error codes of a temporary fault or of the wrong member (mongo's `error_codes.yml`,
 * categories NotPrimary, Shutdown, Network).
 */
const TRANSIENT_CODES = new Set([
  6, 7, 89, 91, 133, 134, 189, 262, 317, 358, 384, 9001, 10058, 10107, 11600, 11602, 13435, 13436,
]);

const UNAVAILABLE_NAMES = new Set([
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoServerSelectionError',
  'MongoOperationTimeoutError',
  'MongoWaitQueueTimeoutError',
  'MongoPoolClearedError',
  'MongoPoolClosedError',
  'MongoServerClosedError',
  'MongoTopologyClosedError',
  'MongoNotConnectedError',
  'MongoClientClosedError',
  'PoolClearedOnNetworkError',
]);

/**
 * AuthenticationFailed, and its equivalent of Atlas: the password was changed while this process
 * runs. Its new connections are refused until it gets the new password, which is an outage, not a
 * bug.
 */
export const AUTHENTICATION_CODES: ReadonlySet<unknown> = new Set([18, 8000]);

/** Whether MongoDB cannot be reached or cannot answer now; a retry may succeed. */
export function isMongoUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (UNAVAILABLE_NAMES.has(error.name)) return true;
  const { code } = error as { code?: unknown };
  // The driver passes on the socket's error if the server disappeared during the write of a
  // command.
  if (code === 'EPIPE' || code === 'ECONNRESET') return true;
  if (!error.name.startsWith('Mongo')) return false;
  return typeof code === 'number' && (TRANSIENT_CODES.has(code) || AUTHENTICATION_CODES.has(code));
}

/** MongoDB's `MaxTimeMSExpired`: a query exceeded its time limit. */
const OVER_TIME = 50;

/** Whether a search exceeded its own time limit (`maxTimeMS`); the same search will do so again. */
export function isSearchOverTime(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === OVER_TIME;
}
