import type { ClientSession, Collection, Db } from 'mongodb';

/** An answer of the control API that is kept under an `Idempotency-Key`. */
export interface IdempotentAnswerDocument {
  /** Digest of caller, method, life of the tenant, route, its parameters and the key. */
  _id: string;
  /** The tenant whose resources the path names; null: none. Answers are deleted with the tenant. */
  tenant: string | null;
  /** Digest of the query and the body. */
  fingerprint: string;
  /** Status, header fields and body, sealed for `_id`; null while the request runs. */
  sealed: string | null;
  /** Token of the request that runs. Absent in claims of earlier versions. */
  holder?: string;
  /** From then on another request may take the claim over. Absent: never. */
  deadline_at?: Date;
  /** Note of an action without a transaction: see `ActionClaim`. */
  note?: string;
  /** Transactions that began under the claim: see `IdempotentAnswers.fence`. */
  transactions?: number;
  /** Id of the resource that the answer shows. */
  resource?: string;
  /** When that resource was deleted; the answer is removed then. */
  gone_at?: Date;
  expires_at: Date;
}

/** Majority concerns: every later reader must see a claim, whichever member answers it. */
export function idempotentAnswersOf(db: Db): Collection<IdempotentAnswerDocument> {
  return db.collection('idempotent_answers', {
    writeConcern: { w: 'majority' },
    readConcern: { level: 'majority' },
  });
}

/** Creates the indexes; idempotent. */
export async function ensureIdempotentAnswerIndexes(db: Db): Promise<void> {
  const answers = idempotentAnswersOf(db);
  await answers.createIndex({ expires_at: 1 }, { expireAfterSeconds: 0 });
  await answers.createIndex({ tenant: 1 });
  await answers.createIndex({ resource: 1 }, { sparse: true });
}

/**
 * Removes the answers that show a deleted resource, in the transaction that deletes it. Their keys
 * stay used, so that a late repeat does not create the resource again.
 */
export async function removeAnswersOf(
  answers: Collection<IdempotentAnswerDocument>,
  resources: readonly string[],
  { session, now }: { session: ClientSession; now: Date },
): Promise<void> {
  const showing = { resource: { $in: resources } };
  await answers.updateMany(showing, { $set: { sealed: null, gone_at: now } }, { session });
}
