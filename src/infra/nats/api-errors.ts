import { errors } from '@nats-io/nats-core';

/**
 * The `err_code`s of the JetStream API that this code handles (nats-server, server/errors.json).
 */
export const apiErrors = {
  /** The account's limit on storage is reached. */
  accountFull: 10_002,
  consumerNotFound: 10_014,
  /** The server's `max_file_store` is reached. */
  serverFull: 10_023,
  /**
   * The message to delete does not exist: it was deleted already, and its neighbours still exist.
   */
  sequenceNotFound: 10_043,
  /** A limit on storage would be exceeded. */
  storageFull: 10_047,
  /** A message was not deleted. Also the answer for a missing message at an end of the stream. */
  deleteFailed: 10_057,
  /** The stream exists with another configuration. */
  streamNameInUse: 10_058,
  streamNotFound: 10_059,
  /** The condition on the last sequence of a subject does not hold. */
  wrongLastSequence: 10_071,
  /** The stream's store refused the message: the stream or the disk is full. */
  storeFailed: 10_077,
  consumerIsThere: 10_148,
  /** A replicated stream has not yet decided on an earlier copy of the message. */
  idInProcess: 10_158,
  /** The replicas are still deciding on another write to the same subject. */
  writeInProcess: 10_164,
} as const;

/** The `err_code` of an error of the JetStream API, or of a refused publication. */
export function apiErrorCode(error: unknown): number | undefined {
  return (error as { code?: number }).code;
}

/** Whether the account or the server has no storage left, for any stream. */
export function isServerFull(error: unknown): boolean {
  const code = apiErrorCode(error);
  return (
    code === apiErrors.accountFull ||
    code === apiErrors.serverFull ||
    code === apiErrors.storageFull
  );
}

/** Whether a message was refused because its stream, the account or the server is full. */
export function isStorageFull(error: unknown): boolean {
  return isServerFull(error) || apiErrorCode(error) === apiErrors.storeFailed;
}

/**
 * Whether the object to delete does not exist. Usually an earlier request deleted it, and its
 * answer was lost.
 */
export function isGone(error: unknown): boolean {
  const code = apiErrorCode(error);
  return code === apiErrors.sequenceNotFound || code === apiErrors.deleteFailed;
}

/** Whether a conditional write failed because another write came between the read and this one. */
export function isWriteConflict(error: unknown): boolean {
  const code = apiErrorCode(error);
  return code === apiErrors.wrongLastSequence || code === apiErrors.writeInProcess;
}

/** Whether a direct read found no message at or after its sequence. */
export function isNoneLeft(error: unknown): boolean {
  return (error as { code?: number }).code === 404 || /404|not found/i.test(String(error));
}

/** Whether the user of this connection has no right to publish to the subject of a request. */
export function isRightMissing(error: unknown): boolean {
  const cause = (error as { cause?: unknown }).cause ?? error;
  return cause instanceof errors.PermissionViolationError;
}
