import type { AnyBulkWriteOperation } from 'mongodb';
import { issueId } from '#domain/ids.ts';
import { bucketStartMs } from '#domain/metrics/granularity.ts';
import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import { ISSUES_KEPT_MS, type IssueDocument, type IssueStore } from '#infra/mongo/issues/issues.ts';

const DELAY_MS = 2000;

type Letter = Pick<DeadLetterDocument, 'tenant' | 'endpoint' | 'cause' | 'at'>;

/**
 * Marks the issues of dead letters, after these are durable and before their messages are acked.
 * Marks of redelivered messages change nothing but the time of the next count.
 *
 * @throws MongoError: the messages must not be acked then
 */
export async function markIssues(
  { issues }: Pick<IssueStore, 'issues'>,
  letters: readonly Letter[],
  nowMs: number,
): Promise<void> {
  const groups = new Map<string, Letter[]>();
  for (const letter of letters) {
    const id = issueId(letter.tenant, letter.endpoint, letter.cause);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [letter]);
    else group.push(letter);
  }
  if (groups.size === 0) return;
  const operations = [...groups].map(([id, group]) => markOne(id, group, nowMs));
  await issues.bulkWrite(operations, { ordered: false });
}

function markOne(
  _id: string,
  group: readonly Letter[],
  nowMs: number,
): AnyBulkWriteOperation<IssueDocument> {
  const times = group.map(({ at }) => at.getTime());
  const lastMs = Math.max(...times);
  const hours = new Set(times.map((ms) => bucketStartMs('1h', ms)));
  const { tenant, endpoint, cause } = group[0] as Letter;
  return {
    updateOne: {
      filter: { _id },
      update: {
        $min: { due_at: new Date(nowMs + DELAY_MS), first_failed_at: new Date(Math.min(...times)) },
        $max: { last_failed_at: new Date(lastMs), expires_at: new Date(lastMs + ISSUES_KEPT_MS) },
        $addToSet: { changed_hours: { $each: [...hours].map((ms) => new Date(ms)) } },
        $setOnInsert: { tenant, endpoint, cause, count: 0, openings: 0, revision: 0 },
      },
      upsert: true,
    },
  };
}
