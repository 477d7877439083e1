/** Reads issues, and changes their status (CT-15). */
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { type IssueAction, statusAfterAction } from '#domain/issue.ts';
import { anyOf } from '#infra/mongo/any-of.ts';
import type { IssueDocument, IssueStore } from '#infra/mongo/issues/issues.ts';
import type { IssueListQuery, IssueResource, IssueSummary } from '#wire/api/issues/issue.ts';
import { boundList, type Page, toPage } from '#wire/pagination.ts';
import { type FairSearches, SEARCH_MS_MAX } from '../history/fair-searches.ts';
import { afterCursor, timeOrder, timeSort } from '../history/time-order.ts';
import { type IssueEventDeps, announceIssue } from './announce-issue.ts';

const SORT = timeSort('issues');
/** A week. */
const HOURS_SHOWN = 168;
/** Another change came between the read and the write. */
const TRIES = 5;

export interface IssuesDeps extends IssueEventDeps {
  issueStore: IssueStore;
  searches: Pick<FairSearches, 'run'>;
  clock: Clock;
}

export class Issues {
  private readonly deps: IssuesDeps;

  constructor(deps: IssuesDeps) {
    this.deps = deps;
  }

  /** Sorted by the last failure. */
  async list(lifeId: string, query: IssueListQuery): Promise<Page<IssueSummary>> {
    const { limit, order } = query;
    const list = boundList(SORT, lifeId, query);
    const conditions = [
      { tenant: lifeId, status: { $exists: true } },
      anyOf('endpoint', query.endpoint_id),
      anyOf('cause', query.cause),
      anyOf('status', query.status),
      ...afterCursor(list, query, 'last_failed_at'),
    ];
    const found = await this.deps.searches.run(lifeId, () =>
      this.deps.issueStore.issues
        .find({ $and: conditions }, { maxTimeMS: SEARCH_MS_MAX })
        .sort(timeOrder('last_failed_at', order))
        .limit(limit + 1)
        .toArray(),
    );
    return toPage(
      found,
      limit,
      list,
      ({ last_failed_at: at, _id }) => [at.getTime(), _id],
      summarize,
    );
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async get(lifeId: string, id: string): Promise<IssueResource> {
    const issue = await this.find(lifeId, id);
    const hours = await this.deps.issueStore.hours
      .find({ issue: id, tenant: lifeId, count: { $gt: 0 } })
      .sort({ hour: -1 })
      .limit(HOURS_SHOWN)
      .toArray();
    const counts = hours.map(({ hour, count }) => ({
      start: hour.toISOString(),
      failure_count: count,
    }));
    return { ...summarize(issue), hourly_counts: counts.toReversed() };
  }

  /**
   * Changes the status; an action that changes nothing succeeds. The event is stored before the
   * status, under an id derived from both, so a repeat after a crash announces it once.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_ISSUE_RESOLVED, POSTHORN_OVERLOADED
   */
  async act(lifeId: string, id: string, action: IssueAction): Promise<IssueResource> {
    for (let left = TRIES; left > 0; left--) {
      const issue = await this.find(lifeId, id);
      const status = statusAfterAction(issue.status ?? 'open', action);
      if (status === undefined) throw new PosthornError('POSTHORN_ISSUE_RESOLVED');
      if (status === issue.status) return this.get(lifeId, id);
      const now = new Date(this.deps.clock.wallMs());
      if (action === 'resolve') {
        const resolved = { ...issue, resolved_at: now };
        await announceIssue(this.deps, 'posthorn.issue.resolved', resolved);
      }
      const times = {
        acknowledge: { acknowledged_at: now },
        resolve: { resolved_at: now },
        reopen: { opened_at: now },
      }[action];
      const { matchedCount } = await this.deps.issueStore.issues.updateOne(
        { _id: id, tenant: lifeId, revision: issue.revision },
        { $set: { status, ...times }, $inc: { revision: 1 } },
      );
      if (matchedCount === 1) return this.get(lifeId, id);
    }
    throw new PosthornError('POSTHORN_OVERLOADED');
  }

  private async find(lifeId: string, id: string): Promise<IssueDocument> {
    const found = await this.deps.issueStore.issues.findOne({ _id: id, tenant: lifeId });
    if (found?.status === undefined) throw notFound('issue', id);
    return found;
  }
}

function summarize(issue: IssueDocument): IssueSummary {
  const { status = 'open', acknowledged_at: acknowledged, resolved_at: resolved } = issue;
  const isAcknowledged = status === 'acknowledged' && acknowledged !== undefined;
  const isResolved = status === 'resolved' && resolved !== undefined;
  return {
    id: issue._id,
    status,
    endpoint_id: issue.endpoint,
    cause: issue.cause,
    failure_count: issue.count,
    opened_count: issue.openings,
    first_failed_at: issue.first_failed_at.toISOString(),
    last_failed_at: issue.last_failed_at.toISOString(),
    opened_at: (issue.opened_at ?? issue.first_failed_at).toISOString(),
    acknowledged_at: isAcknowledged ? acknowledged.toISOString() : null,
    resolved_at: isResolved ? resolved.toISOString() : null,
    revision: issue.revision,
  };
}
