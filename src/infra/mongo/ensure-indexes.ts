import type { Db } from 'mongodb';
import { ensureConfigurationIndexes } from './configuration.ts';
import { ensureEventTypeImportIndexes } from './event-type-imports.ts';
import { ensureHistoryIndexes } from './documents.ts';
import { ensureHealthIndexes } from './endpoint-health.ts';
import { ensureReplayIndexes } from './replays/replay-store.ts';
import { ensureIdempotentAnswerIndexes } from './idempotent-answers.ts';
import { ensureIssueIndexes } from './issues/issues.ts';
import { ensureMetricIndexes } from './metrics/metric-cells.ts';

/**
 * Creates every index of the database; idempotent. Control calls it at its start, and so does
 * `posthorn migrate`, so that indexes exist before a new version runs.
 */
export async function ensureIndexes(db: Db, historyRetentionSeconds: number): Promise<void> {
  await ensureConfigurationIndexes(db);
  await ensureHistoryIndexes(db, historyRetentionSeconds);
  await ensureHealthIndexes(db);
  await ensureIdempotentAnswerIndexes(db);
  await ensureMetricIndexes(db);
  await ensureReplayIndexes(db);
  await ensureEventTypeImportIndexes(db);
  await ensureIssueIndexes(db);
}
