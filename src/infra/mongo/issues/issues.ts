/** Issues: dead letters of one endpoint with one cause, counted by hour (CT-15). */
import type { Collection, Db } from 'mongodb';
import type { IssueStatus } from '#domain/issue.ts';

/** Longer than a user looks back; dead letters expire before. */
export const ISSUES_KEPT_MS = 90 * 24 * 3600 * 1000;

export interface IssueDocument {
  /** Issue id, derived from life, endpoint and cause. */
  _id: string;
  /** Life id. */
  tenant: string;
  endpoint: string;
  cause: string;
  /** Absent until its first failures are counted: the API does not show it yet. */
  status?: IssueStatus;
  first_failed_at: Date;
  last_failed_at: Date;
  /** Failures in the hours that are kept. */
  count: number;
  /** Times that it was opened by a failure. */
  openings: number;
  opened_at?: Date;
  acknowledged_at?: Date;
  resolved_at?: Date;
  revision: number;
  /** Hours with newer dead letters. */
  changed_hours?: Date[];
  /** Hours that a process counts now. */
  counting?: Date[];
  /** When to count again; absent: no newer dead letters are known. */
  due_at?: Date;
  claim?: string;
  claimed_until?: Date;
  expires_at: Date;
}

export interface IssueHourDocument {
  /** `<issue id>/<hour in ms>` */
  _id: string;
  /** Life id. */
  tenant: string;
  issue: string;
  hour: Date;
  count: number;
  expires_at: Date;
}

export interface IssueStore {
  issues: Collection<IssueDocument>;
  hours: Collection<IssueHourDocument>;
}

/** Majority concerns: a count reads all dead letters that were written before the mark. */
export function issueStoreOf(db: Db): IssueStore {
  const concerns = {
    writeConcern: { w: 'majority' as const },
    readConcern: { level: 'majority' as const },
  };
  return {
    issues: db.collection('issues', concerns),
    hours: db.collection('issue_hours', concerns),
  };
}

/** Creates the indexes; idempotent. */
export async function ensureIssueIndexes(db: Db): Promise<void> {
  const { issues, hours } = issueStoreOf(db);
  await issues.createIndex({ tenant: 1, last_failed_at: -1, _id: -1 });
  for (const field of ['due_at', 'claimed_until']) {
    await issues.createIndex(
      { [field]: 1 },
      { partialFilterExpression: { [field]: { $type: 'date' } } },
    );
  }
  await hours.createIndex({ issue: 1, hour: -1 });
  await hours.createIndex({ tenant: 1 });
  for (const collection of [issues, hours]) {
    await collection.createIndex({ expires_at: 1 }, { expireAfterSeconds: 0 });
  }
  // Counts the failures of an hour without reading dead letters.
  await db.collection('dead_letters').createIndex({ tenant: 1, endpoint: 1, cause: 1, at: 1 });
}
