/** Schemas of dead letters (DL-10). A dead letter has the id of its delivery. */
import { type Static, Type } from 'typebox';
import { deadLetterStatuses } from '#domain/outcome/delivery.ts';
import { named } from '#wire/openapi/describe.ts';
import { attempt } from './delivery.ts';
import { payloadFacts } from './event.ts';
import {
  eventId,
  eventSource,
  eventTypeName,
  nullable,
  resourceId,
  strict,
  tenantId,
  timestamp,
} from './fields.ts';
import { filterBy, orderField, pageFields, pageOf, timeRangeFields } from './page.ts';

const deadLetterId = resourceId('a dead letter; the same as that of its delivery', 'dlv');
const endpointId = resourceId('an endpoint', 'ep');
const reason = Type.String({
  maxLength: 64,
  description:
    'Why the delivery became a dead letter: `exhausted` (no attempts left), `final_status` (the response rules out retries), `too_old`, `gone` (410), `event_expired` (before it was read). For a large event also `payload_missing` and `payload_damaged`.',
  examples: ['exhausted'],
});
const cause = Type.String({
  maxLength: 64,
  description:
    'Result of the last attempt, for example `http_503` or `timeout`; equals `reason` if there was no attempt.',
  examples: ['http_503'],
});

export const deadLetterParams = Type.Object(
  { tenant: tenantId, dead_letter: deadLetterId },
  strict,
);

const status = named(
  'DeadLetterStatus',
  Type.Enum(deadLetterStatuses, {
    description: '`open`: neither replayed nor discarded. `replayed`: a new delivery was created.',
  }),
);

const summary = {
  id: deadLetterId,
  status,
  event_id: eventId,
  event_type: eventTypeName,
  endpoint_id: endpointId,
  reason,
  cause,
  attempt_count: Type.Integer({ description: 'Number of attempts.', examples: [12] }),
  accepted_at: timestamp('When the event was stored'),
  failed_at: timestamp('When the delivery became a dead letter'),
  replayed_at: nullable(timestamp('When the dead letter was replayed; null: it was not')),
  replay_delivery_id: nullable(resourceId('the delivery that the replay created', 'dlv')),
};

export const deadLetterSummary = named('DeadLetterSummary', Type.Object(summary), {
  description: 'A dead letter, as lists show it.',
});
export type DeadLetterSummary = Static<typeof deadLetterSummary>;

export const deadLetter = named(
  'DeadLetter',
  Type.Object({
    ...summary,
    last_attempt: nullable(attempt),
    event: nullable(
      named(
        'DeadLetterEvent',
        Type.Object(
          {
            id: eventId,
            event_type: eventTypeName,
            source: eventSource,
            time: timestamp('When the event happened, according to its producer'),
            data: Type.Optional(
              Type.Unknown({
                description: 'The data as it was published: JSON, or a string if it is text.',
                examples: [{ amount: 12.5 }],
              }),
            ),
            payload: payloadFacts,
            data_base64: Type.Optional(
              Type.String({
                description: 'Data that is neither JSON nor text, in base64.',
                examples: ['3q2+7w=='],
              }),
            ),
            data_hidden: Type.Boolean({
              description: 'True if the event type is sensitive: `data` is not shown.',
              examples: [false],
            }),
          },
          { description: 'The event; null if it had expired.' },
        ),
      ),
    ),
  }),
  { description: 'A dead letter with its event and its last attempt.' },
);

const filters = {
  endpoint_id: filterBy(endpointId),
  event_type: filterBy(eventTypeName),
  reason: filterBy(reason),
  cause: filterBy(cause),
};

export const deadLetterListQuery = Type.Object(
  {
    ...pageFields,
    ...orderField('newest'),
    ...timeRangeFields('failed_at'),
    ...filters,
    status: filterBy(status),
  },
  strict,
);
export type DeadLetterListQuery = Static<typeof deadLetterListQuery>;
export const deadLetterPage = pageOf('DeadLetterPage', deadLetterSummary);

export const deadLetterGroups = named(
  'DeadLetterGroups',
  Type.Object({
    data: Type.Array(
      named(
        'DeadLetterGroup',
        Type.Object({
          endpoint_id: endpointId,
          reason,
          cause,
          count: Type.Integer({
            description: 'Number of dead letters in the group.',
            examples: [40],
          }),
          first_at: timestamp('When the first of them became a dead letter'),
          last_at: timestamp('When the last of them became a dead letter'),
        }),
        { description: 'Dead letters of one endpoint with the same cause.' },
      ),
      {
        description:
          'Groups of the dead letters that were neither replayed nor discarded, largest first.',
      },
    ),
  }),
  { description: 'Dead letters, grouped by endpoint and cause.' },
);
export type DeadLetterGroups = Static<typeof deadLetterGroups>;

export const replayedDeadLetter = named(
  'ReplayedDeadLetter',
  Type.Object({
    id: deadLetterId,
    delivery_id: resourceId('the new delivery', 'dlv'),
    replayed_at: timestamp('When the dead letter was replayed'),
  }),
  { description: 'A replayed dead letter and its new delivery.' },
);
export type ReplayedDeadLetter = Static<typeof replayedDeadLetter>;
