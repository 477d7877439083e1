/** Schemas of issues (CT-15). */
import { type Static, Type } from 'typebox';
import { issueStatuses } from '#domain/issue.ts';
import { nullable, resourceId, revision, strict, tenantId, timestamp } from '../fields.ts';
import { filterBy, orderField, pageFields, pageOf } from '../page.ts';
import { named } from '#wire/openapi/describe.ts';

const issueId = resourceId('an issue', 'iss');
const endpointId = resourceId('an endpoint', 'ep');
const status = named('IssueStatus', Type.Enum(issueStatuses), {
  description:
    '`open`: new failures. `acknowledged`: being worked on; further failures change nothing. `resolved`: the next failure reopens it.',
});
const cause = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'Common cause of the failures: the result of the last attempt of each.',
  examples: ['http_503'],
});

export const issueParams = Type.Object({ tenant: tenantId, issue: issueId }, strict);

const facts = {
  id: issueId,
  status,
  endpoint_id: endpointId,
  cause,
  failure_count: Type.Integer({
    description: 'Deliveries that failed permanently, in the last 90 days.',
    examples: [42],
  }),
  opened_count: Type.Integer({
    description: 'How often failures have opened the issue.',
    examples: [1],
  }),
  first_failed_at: timestamp('The first failure'),
  last_failed_at: timestamp('The last failure'),
  opened_at: timestamp('When it was last opened'),
  acknowledged_at: nullable(timestamp('When it was acknowledged; null: it is not')),
  resolved_at: nullable(timestamp('When it was resolved; null: it is not')),
  revision,
};

export const issueSummary = named('IssueSummary', Type.Object(facts), {
  description: 'An issue, as lists show it.',
});
export type IssueSummary = Static<typeof issueSummary>;

export const issue = named(
  'Issue',
  Type.Object({
    ...facts,
    hourly_counts: Type.Array(
      named(
        'IssueHour',
        Type.Object({
          start: timestamp('Begin of the hour'),
          failure_count: Type.Integer({ description: 'Failures in the hour.', examples: [7] }),
        }),
        { description: 'The failures of an hour.' },
      ),
      { description: 'The last 168 hours with failures, oldest first.' },
    ),
  }),
  { description: 'Deliveries to one endpoint that failed permanently with one cause.' },
);
export type IssueResource = Static<typeof issue>;

export const issueListQuery = Type.Object(
  {
    ...pageFields,
    ...orderField('newest'),
    endpoint_id: filterBy(endpointId),
    status: filterBy(status),
    cause: filterBy(cause),
  },
  strict,
);
export type IssueListQuery = Static<typeof issueListQuery>;

export const issuePage = pageOf('IssuePage', issueSummary);
