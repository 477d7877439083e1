import type { Db } from 'mongodb';
import { idempotentAnswersOf } from '#infra/mongo/idempotent-answers.ts';

/**
 * Leaves the claims as a process leaves them that dies before it stores the answer, once their
 * deadline has passed: a repeat takes them over.
 */
export async function loseAnswers(db: Db): Promise<void> {
  const lost = { $set: { sealed: null, deadline_at: new Date(0) } };
  await idempotentAnswersOf(db).updateMany({}, lost);
}
