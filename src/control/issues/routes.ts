import type { IssueAction } from '#domain/issue.ts';
import { issue, issueListQuery, issuePage, issueParams } from '#wire/api/issues/issue.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { Api } from '../routes/access.ts';
import type { Issues } from './issues.ts';

const tags = ['Issues'];

const actions: Record<IssueAction, { summary: string; description: string }> = {
  acknowledge: {
    summary: 'Acknowledge an issue',
    description:
      'Marks the issue as being worked on. Further failures do not open it again. A resolved issue cannot be acknowledged: the answer is 409.',
  },
  resolve: {
    summary: 'Resolve an issue',
    description:
      'Publishes the operational event `posthorn.issue.resolved`. The next failure reopens it. To send the failed deliveries again, plan a replay of kind `dead_letters` with `endpoint_id` and `cause` of the issue.',
  },
  reopen: { summary: 'Open an issue again', description: 'Undoes a resolution.' },
};

interface IssueParts {
  lives: CurrentLives;
  issues: Issues;
}

/** Routes for issues (CT-15): list, read, acknowledge, resolve, reopen. */
export function registerIssueRoutes(api: Api, { lives, issues }: IssueParts): void {
  api.get(
    '/v1/tenants/:tenant/issues',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listIssues',
        summary: "List a tenant's issues, by their last failure",
        description:
          'An issue is the group of deliveries to one endpoint that failed permanently with one cause. An issue that fails between two pages moves to the front.',
        tags,
        params: tenantParams,
        querystring: issueListQuery,
        response: { 200: issuePage, ...problemAnswers },
      },
    },
    async ({ params, query }) => issues.list(await lives.of(params.tenant), query),
  );
  api.get(
    '/v1/tenants/:tenant/issues/:issue',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getIssue',
        summary: 'Read an issue with its failures by hour',
        description: 'Counts are exact a few seconds after the last failure.',
        tags,
        params: issueParams,
        response: { 200: issue, ...problemAnswers },
      },
    },
    async ({ params }) => issues.get(await lives.of(params.tenant), params.issue),
  );
  for (const action of ['acknowledge', 'resolve', 'reopen'] as const) {
    api.post(
      `/v1/tenants/:tenant/issues/:issue/${action}`,
      {
        config: { access: 'manage' },
        schema: {
          operationId: `${action}Issue`,
          ...actions[action],
          tags,
          params: issueParams,
          response: { 200: issue, ...problemAnswers },
        },
      },
      async ({ params }) => issues.act(await lives.of(params.tenant), params.issue, action),
    );
  }
}
