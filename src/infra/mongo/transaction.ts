import { type ClientSession, MongoClient, MongoError } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { Backoff } from '#domain/contention/backoff.ts';
import { PosthornError } from '#domain/errors.ts';
import { pause } from '#infra/retry.ts';

const DEADLINE_MS = 5000;
const RETRY_DELAYS = { firstMs: 2, maxMs: 100 };

/**
 * Runs `work` in one transaction on a snapshot (CT-11). After a conflict with another transaction
 * it runs again, for at most 5 s. The driver's own `withTransaction` would retry for 2 minutes,
 * longer than any caller waits for an answer. So `work` may run several times, and must do nothing
 * but sequential reads and writes in the given session.
 *
 * @throws PosthornError POSTHORN_OVERLOADED if other transactions kept changing the same
 *   documents
 */
export async function runTransaction<T>(
  client: MongoClient,
  clock: Clock,
  work: (session: ClientSession) => Promise<T>,
): Promise<T> {
  const deadlineMs = clock.monotonicMs() + DEADLINE_MS;
  const isLate = (): boolean => clock.monotonicMs() > deadlineMs;
  const session = client.startSession();
  try {
    for (const backoff = new Backoff(RETRY_DELAYS); ;) {
      try {
        return await runOnce(session, work, isLate);
      } catch (error) {
        if (!hasLabel(error, 'TransientTransactionError')) throw error;
        if (isLate()) throw afterDeadline(error);
      }
      // Full jitter: transactions that conflicted must not meet again.
      await pause(Math.random() * backoff.next());
    }
  } finally {
    await session.endSession();
  }
}

async function runOnce<T>(
  session: ClientSession,
  work: (session: ClientSession) => Promise<T>,
  isLate: () => boolean,
): Promise<T> {
  session.startTransaction({
    readConcern: { level: 'snapshot' },
    writeConcern: { w: 'majority', wtimeoutMS: DEADLINE_MS },
  });
  let result: T;
  try {
    result = await work(session);
  } catch (error) {
    // The error of `work` is more useful than that of a failed abort: the server aborts abandoned
    // transactions itself.
    await session.abortTransaction().catch(() => undefined);
    throw error;
  }
  for (;;) {
    try {
      await session.commitTransaction();
      return result;
    } catch (error) {
      // The result of the commit is unknown; committing again is safe and returns it.
      const again = hasLabel(error, 'UnknownTransactionCommitResult');
      if (!again || isLate()) throw error;
    }
  }
}

const WRITE_CONFLICT = 112;

function afterDeadline(error: unknown): unknown {
  if ((error as { code?: unknown }).code !== WRITE_CONFLICT) return error;
  const detail = 'other requests kept changing the same documents; nothing was changed, retry';
  return new PosthornError('POSTHORN_OVERLOADED', { detail, cause: error });
}

function hasLabel(error: unknown, label: string): boolean {
  return error instanceof MongoError && error.hasErrorLabel(label);
}
