import type {
  CompletionResult,
  DirectBatchOptions,
  DirectLastFor,
  JetStreamManager,
  StoredMsg,
} from '@nats-io/jetstream';

/** From the question to the end of the answer. */
const TIMEOUT_MS = 5000;

/**
 * The messages of a stream that a direct get gives in one answer of several, in their order (nats-server, ADR-31).
 *
 * By the client's callback, not by its iterator: that one leaves its subscription behind with each whole answer, for as
 * long as the connection lives, and waits for ever for the rest of an answer whose server stopped in the middle.
 *
 * @throws what the server says (code 404: there is none), and where the answer is not whole in time
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
  const tooLate = new Error(`${stream} did not give a whole answer in time`);
  const timer = setTimeout(() => answer.stop(tooLate), timeoutMs);
  try {
    await whole.promise;
    return found;
  } finally {
    clearTimeout(timer);
  }
}
