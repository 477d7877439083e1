/**
 * Counts the failures of marked issues by hour, and opens or reopens the issues (CT-15). Every
 * process of the role control does; a claim, which expires, gives each issue to one of them.
 *
 * A count reads the dead letters of an hour, so repeated messages do not change it. The hours to
 * count are kept in `counting` until the claim is released: a crash at any step repeats them. The
 * operational event is stored before the status, under an id derived from the opening.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import { statusAfterFailures } from '#domain/issue.ts';
import type { History } from '#infra/mongo/documents.ts';
import { ISSUES_KEPT_MS, type IssueDocument, type IssueStore } from '#infra/mongo/issues/issues.ts';
import { pause } from '#infra/retry.ts';
import type { Service } from '#infra/service.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import { type IssueEventDeps, announceIssue } from './announce-issue.ts';

const EVERY_MS = 1000;
const ISSUES_AT_ONCE = 50;
const CLAIM_MS = 60_000;
const HOUR_MS = 3600 * 1000;
/** An issue that counts many failures is counted less often: 1 s more for each 10,000. */
const PER_SECOND = 10_000;

export interface IssueCounterDeps extends IssueEventDeps {
  issueStore: IssueStore;
  history: Pick<History, 'deadLetters'>;
  clock: Clock;
  log: Log;
}

export class IssueCounter implements Service {
  readonly name = 'issue-counter';
  private readonly deps: IssueCounterDeps;
  private readonly fault: RepeatingFault;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(deps: IssueCounterDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'issues.count_failed', deps.clock.monotonicMs);
  }

  async start(): Promise<void> {
    this.running = this.run();
  }

  /** Ends after the pass in progress. */
  async stop(deadlineMs: number): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.running, delay(deadlineMs, undefined, { ref: false })]);
  }

  /** Counts some of the issues that are due. @returns how many were found */
  async countDue(): Promise<number> {
    const now = new Date(this.deps.clock.wallMs());
    const due = await this.deps.issueStore.issues
      .find({ $or: [{ due_at: { $lte: now } }, { claimed_until: { $lte: now } }] })
      .project<{ _id: string }>({ _id: 1 })
      .limit(ISSUES_AT_ONCE)
      .toArray();
    for (const { _id } of due) {
      try {
        const claimed = await this.claim(_id);
        if (claimed !== undefined) await this.count(claimed);
      } catch (error) {
        // Its claim expires, and it is counted again; the others do not wait for it.
        this.fault.failed(error as Error);
      }
    }
    return due.length;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let found = 0;
      try {
        found = await this.countDue();
      } catch (error) {
        this.fault.failed(error as Error);
      }
      if (found < ISSUES_AT_ONCE) await pause(EVERY_MS, signal);
    }
  }

  /** Moves the changed hours to those that are counted. @returns undefined if others count it */
  private async claim(_id: string): Promise<IssueDocument | undefined> {
    const nowMs = this.deps.clock.wallMs();
    const now = new Date(nowMs);
    const isFree = { claim: { $exists: false }, due_at: { $lte: now } };
    const claimed = await this.deps.issueStore.issues.findOneAndUpdate(
      { _id, $or: [isFree, { claimed_until: { $lte: now } }] },
      [
        {
          $set: {
            counting: { $setUnion: [hoursIn('$counting'), hoursIn('$changed_hours')] },
            changed_hours: [],
            claim: randomUUID(),
            claimed_until: new Date(nowMs + CLAIM_MS),
          },
        },
        { $unset: ['due_at'] },
      ],
      { returnDocument: 'after' },
    );
    return claimed ?? undefined;
  }

  private async count(issue: IssueDocument): Promise<void> {
    const { issues, hours } = this.deps.issueStore;
    const { _id, tenant, revision } = issue;
    for (const hour of issue.counting ?? []) await this.countHour(issue, hour);
    const [sum] = await hours
      .aggregate<{ count: number }>([
        { $match: { issue: _id, tenant } },
        { $group: { _id: null, count: { $sum: '$count' } } },
      ])
      .toArray();
    const count = sum?.count ?? 0;
    const opened = openedBy(issue, count, this.deps.clock.wallMs());
    if (opened.openings !== undefined) {
      await announceIssue(this.deps, 'posthorn.issue.opened', { ...issue, ...opened, count });
    }
    const { claim } = issue;
    const done = await issues.updateOne(
      // An action of a user that came first decides: the status is computed again after it.
      { _id, claim: claim as string, revision },
      {
        $set: { ...opened, count },
        $unset: { claim: '', claimed_until: '', counting: '' },
        ...(opened.openings !== undefined && { $inc: { revision: 1 } }),
      },
    );
    if (done.matchedCount === 0) await this.countAgain(issue);
    else if (count > PER_SECOND) await this.slowDown(_id, count);
  }

  /** A redelivered message may be older than the kept hours: those stay as they are. */
  private async countHour(issue: IssueDocument, hour: Date): Promise<void> {
    const { _id, tenant, endpoint, cause } = issue;
    const end = new Date(hour.getTime() + HOUR_MS);
    const group = { tenant, endpoint, cause, at: { $gte: hour, $lt: end } };
    const count = await this.deps.history.deadLetters.countDocuments(group, {
      readConcern: { level: 'majority' },
      readPreference: 'primary',
    });
    const fixed = {
      tenant,
      issue: _id,
      hour,
      expires_at: new Date(hour.getTime() + ISSUES_KEPT_MS),
    };
    // Dead letters of an hour expire together with all older ones: a lower count is not newer.
    await this.deps.issueStore.hours.updateOne(
      { _id: `${_id}/${hour.getTime()}` },
      { $max: { count }, $setOnInsert: fixed },
      { upsert: true },
    );
  }

  private async countAgain({ _id, claim }: IssueDocument): Promise<void> {
    await this.deps.issueStore.issues.updateOne(
      { _id, claim: claim as string },
      { $set: { claimed_until: new Date(this.deps.clock.wallMs()) } },
    );
  }

  /** Only delays a mark that came during the count. */
  private async slowDown(_id: string, count: number): Promise<void> {
    const soon = new Date(this.deps.clock.wallMs() + (count / PER_SECOND) * 1000);
    await this.deps.issueStore.issues.updateOne(
      { _id, due_at: { $type: 'date' } },
      { $max: { due_at: soon } },
    );
  }
}

/** Returns the hours of a field that may be absent. */
function hoursIn(field: string): object {
  return { $ifNull: [field, []] };
}

/** Returns the fields that change if the failures open the issue. */
function openedBy(issue: IssueDocument, count: number, nowMs: number): Partial<IssueDocument> {
  const { status, last_failed_at: lastFailed, resolved_at: resolved } = issue;
  const next = statusAfterFailures({
    status,
    lastFailedMs: lastFailed.getTime(),
    resolvedMs: resolved?.getTime(),
  });
  // Dead letters of an ended life are deleted, and their marks may come later.
  if (next === status || count === 0) return {};
  return { status: next, openings: issue.openings + 1, opened_at: new Date(nowMs) };
}
