/** The `err_code`s of the JetStream API that something here acts on (nats-server, server/errors.json). */
export const apiErrors = {
  consumerNotFound: 10_014,
  /** There is no such message to delete: it is gone already, and others stand before and behind its place. */
  sequenceNotFound: 10_043,
  /** A message was not deleted; also where there is none, at an end of the stream. */
  deleteFailed: 10_057,
  /** With another configuration. */
  streamNameInUse: 10_058,
  streamNotFound: 10_059,
  /** A condition on the last sequence of a subject does not hold. */
  wrongLastSequence: 10_071,
  consumerIsThere: 10_148,
  /** A replicated stream has not decided on an earlier sending of the message yet. */
  idInProcess: 10_158,
  /** Another write to the same subject is being decided on by the replicas. */
  writeInProcess: 10_164,
} as const;

/** The `err_code` of an error of the JetStream API, or of a publication that was refused. */
export function apiErrorCode(error: unknown): number | undefined {
  return (error as { code?: number }).code;
}

/** What was to be deleted is not there: most often an earlier request did it, and its answer was lost. */
export function isGone(error: unknown): boolean {
  const code = apiErrorCode(error);
  return code === apiErrors.sequenceNotFound || code === apiErrors.deleteFailed;
}

/** A write on the condition of what was read before: somebody else's came between. */
export function isLostWrite(error: unknown): boolean {
  const code = apiErrorCode(error);
  return code === apiErrors.wrongLastSequence || code === apiErrors.writeInProcess;
}
