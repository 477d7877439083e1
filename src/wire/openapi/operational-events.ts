/** Schemas of the `data` of operational events (DL-11), by event type. */
import { type TSchema, Type } from 'typebox';
import { endpointFailure } from '../api/endpoint/endpoint-health.ts';
import {
  eventId,
  eventTypeName,
  nullable,
  resourceId,
  tenantId,
  timestamp,
} from '#wire/api/fields.ts';
import { named } from '#wire/openapi/describe.ts';

const url = Type.String({
  description: 'URL of the endpoint.',
  examples: ['https://example.com/webhooks'],
});

const endpointFacts = {
  tenant_id: tenantId,
  endpoint_id: resourceId('an endpoint', 'ep'),
  url,
};

const failureFacts = {
  failing_since: timestamp('The first failure after the last success'),
  disables_at: nullable(timestamp('A failure at this time or later disables the endpoint')),
  last_failure: nullable(endpointFailure),
  dead_letters: Type.Integer({
    description: 'Dead letters of the endpoint since `failing_since`.',
    examples: [3],
  }),
};

const failing = named(
  'EndpointFailingData',
  Type.Object({
    ...endpointFacts,
    ...failureFacts,
    reason: Type.Literal('failing'),
    percent: Type.Integer({
      description:
        'Percentage of the allowed failing time that has passed; at 100 the endpoint is disabled.',
      examples: [50],
    }),
  }),
  { description: 'A warning: every attempt to the endpoint has failed for some time.' },
);

const disabled = named(
  'EndpointDisabledData',
  Type.Object({
    ...endpointFacts,
    reason: named('DisabledReason', Type.Enum(['failing', 'gone'] as const), {
      description:
        '`failing`: every attempt failed for too long. `gone`: the receiver answered 410.',
    }),
    failing_since: Type.Optional(failureFacts.failing_since),
    disables_at: Type.Optional(failureFacts.disables_at),
    last_failure: Type.Optional(failureFacts.last_failure),
    dead_letters: Type.Optional(failureFacts.dead_letters),
  }),
  { description: 'The platform disabled the endpoint.' },
);

const recovered = named(
  'EndpointRecoveredData',
  Type.Object({
    ...endpointFacts,
    failing_since: failureFacts.failing_since,
    recovered_at: timestamp('The first success'),
    was_disabled: Type.Boolean({
      description: 'True if the endpoint had been disabled.',
      examples: [false],
    }),
  }),
  { description: 'The first success after a warning, or after the endpoint was disabled.' },
);

const exhausted = named(
  'DeliveryExhaustedData',
  Type.Object({
    ...endpointFacts,
    url: nullable(url),
    delivery_id: resourceId('the delivery and of its dead letter', 'dlv'),
    event_id: eventId,
    event_type: eventTypeName,
    reason: Type.String({
      description: 'Why the delivery became a dead letter.',
      examples: ['exhausted'],
    }),
    cause: Type.String({ description: 'Result of the last attempt.', examples: ['http_503'] }),
    attempt_count: Type.Integer({ description: 'Number of attempts.', examples: [12] }),
    accepted_at: timestamp('When the event was stored'),
    failed_at: timestamp('When the delivery became a dead letter'),
  }),
  { description: 'A delivery became a dead letter.' },
);

const issueFacts = {
  ...endpointFacts,
  url: nullable(url),
  issue_id: resourceId('the issue', 'iss'),
  cause: Type.String({ description: 'Common cause of the failures.', examples: ['http_503'] }),
  failure_count: Type.Integer({ description: 'Failures so far.', examples: [1] }),
  first_failed_at: timestamp('The first failure'),
  last_failed_at: timestamp('The last failure'),
  opened_count: Type.Integer({
    description: 'How often failures have opened the issue; over 1: it was reopened.',
    examples: [1],
  }),
};

const issueOpened = named('IssueOpenedData', Type.Object(issueFacts), {
  description: 'Deliveries to an endpoint began to fail with a cause, or again after a resolution.',
});

const issueResolved = named('IssueResolvedData', Type.Object(issueFacts), {
  description: 'An issue was resolved.',
});
const approvalRequested = named(
  'ApprovalRequestedData',
  Type.Object({
    tenant_id: tenantId,
    subscription_id: resourceId('the subscription', 'sub'),
    endpoint_id: endpointFacts.endpoint_id,
    event_types: Type.Array(Type.String({ examples: ['order.*'] }), {
      description: 'The event types that the subscription selects.',
    }),
    requested_at: timestamp('When the tenant created or changed the subscription'),
  }),
  { description: 'A subscription waits for the approval of an operator.' },
);

/** The schemas of all operational events, by type. */
export const operationalEventData = {
  'posthorn.endpoint.failing': failing,
  'posthorn.endpoint.disabled': disabled,
  'posthorn.endpoint.recovered': recovered,
  'posthorn.delivery.exhausted': exhausted,
  'posthorn.issue.opened': issueOpened,
  'posthorn.issue.resolved': issueResolved,
  'posthorn.approval.requested': approvalRequested,
} satisfies Record<string, TSchema>;
export type OperationalEventType = keyof typeof operationalEventData;
