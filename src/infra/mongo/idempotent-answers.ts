import type { Collection, Db } from 'mongodb';

/** An answer of the control API that is kept under an `Idempotency-Key`. */
export interface IdempotentAnswerDocument {
  /** Digest of caller, method, path and key. */
  _id: string;
  /** The tenant whose resources the path names; null: none. Answers are deleted with the tenant. */
  tenant: string | null;
  /** Digest of the body. */
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
}
