import type {
  CompletionResult,
  DirectBatchOptions,
  DirectLastFor,
  JetStreamManager,
  StoredMsg,
} from '@nats-io/jetstream';

/** From the request to the end of the answer. */
const TIMEOUT_MS = 5000;

/**
 * Reads messages of a stream by one direct get with several answers, in their order (nats-server,
 * ADR-31).
 *
 * Uses the client's callback instead of its iterator. The iterator leaks its subscription with each
 * whole answer, until the connection closes, and never returns if a server stops in the middle
 * of an answer.
 *
 * @throws the server's error (code 404: there is none), and if the answer is not complete in
 *   time
 */
export async function readBatch(
  jsm: JetStreamManager,
  stream: string,
  query: DirectBatchOptions | DirectLastFor,
  timeoutMs = TIMEOUT_MS,
): Promise<StoredMsg[]> {
  const found: StoredMsg[] = [];
  const whole = Promise.withResolvers<void>();
  const callback = (end: CompletionResult | null, message: StoredMsg): void => {
    if (end === null) found.push(message);
    else if (end.err === undefined) whole.resolve();
    else whole.reject(end.err);
  };
  const answer =
    'multi_last' in query
      ? await jsm.direct.getLastMessagesFor(stream, { ...query, callback })
      : await jsm.direct.getBatch(stream, { ...query, callback });
  const tooLate = new Error(`${stream} did not complete its answer in time`);
  const timer = setTimeout(() => answer.stop(tooLate), timeoutMs);
  try {
    await whole.promise;
    return found;
  } finally {
    clearTimeout(timer);
  }
}
