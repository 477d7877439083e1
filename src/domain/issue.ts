/**
 * The states of an issue: failures of one endpoint with one cause (CT-15).
 *
 *     open ──acknowledge──> acknowledged
 *      │ ^                       │
 *      │ └──reopen, next failure─┤
 *      └────────resolve──────> resolved
 *
 * Further failures leave an acknowledged issue as it is. A failure after its resolution reopens a
 * resolved one.
 */
export const issueStatuses = ['open', 'acknowledged', 'resolved'] as const;
export type IssueStatus = (typeof issueStatuses)[number];

export const issueActions = ['acknowledge', 'resolve', 'reopen'] as const;
export type IssueAction = (typeof issueActions)[number];

export interface IssueState {
  /** Undefined: its first failures are not counted yet. */
  status: IssueStatus | undefined;
  lastFailedMs: number;
  resolvedMs: number | undefined;
}

/** Returns the status after failures were counted. */
export function statusAfterFailures({ status, lastFailedMs, resolvedMs }: IssueState): IssueStatus {
  if (status === undefined) return 'open';
  const isReopened = status === 'resolved' && lastFailedMs > (resolvedMs ?? 0);
  return isReopened ? 'open' : status;
}

/** Returns the status after an action; undefined if the status forbids it. */
export function statusAfterAction(
  status: IssueStatus,
  action: IssueAction,
): IssueStatus | undefined {
  switch (action) {
    case 'acknowledge':
      return status === 'resolved' ? undefined : 'acknowledged';
    case 'resolve':
      return 'resolved';
    case 'reopen':
      return 'open';
    default:
      return action satisfies never;
  }
}
