/** Dead letters in the API (DL-10). A dead letter has the id of its delivery. */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
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
import { pageFields, pageOf } from './page.ts';

const deadLetterId = resourceId('a dead letter: that of its delivery', 'dlv');
const endpointId = resourceId('an endpoint', 'ep');
const reason = Type.String({
  maxLength: 64,
  description:
    'Why it was given up: `exhausted`, `final_status`, `too_old`, `gone` (410), `event_expired` before it could be read, `payload_missing` or `payload_damaged` of a large event.',
  examples: ['exhausted'],
});
const cause = Type.String({
  maxLength: 64,
  description: 'What its last attempt came to, `http_503` or `timeout`; without one, the reason.',
  examples: ['http_503'],
});

export const deadLetterParams = Type.Object(
  { tenant: tenantId, dead_letter: deadLetterId },
  strict,
);

const summary = {
  id: deadLetterId,
  event_id: eventId,
  event_type: eventTypeName,
  endpoint_id: endpointId,
  reason,
  cause,
  attempt_count: Type.Integer({ description: 'How many attempts were made.', examples: [12] }),
  accepted_at: timestamp('When the event was stored'),
  failed_at: timestamp('When it was given up'),
  replayed_at: nullable(timestamp('When it was replayed')),
  replay_delivery_id: nullable(resourceId('the delivery that the replay made', 'dlv')),
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
            type: eventTypeName,
            source: eventSource,
            time: timestamp('When it happened, as the producer says'),
            data: Type.Optional(
              Type.Unknown({
                description: 'As it was sent: JSON, or text as a string.',
                examples: [{ amount: 12.5 }],
              }),
            ),
            payload: payloadFacts,
            data_base64: Type.Optional(
              Type.String({ description: 'Data that is neither.', examples: ['3q2+7w=='] }),
            ),
            data_hidden: Type.Boolean({
              description: 'The event type is sensitive: `data` is not shown.',
              examples: [false],
            }),
          },
          { description: 'Null where it had expired.' },
        ),
      ),
    ),
  }),
  { description: 'A dead letter with its event and its last attempt.' },
);

/** Which dead letters; each that is given has to hold. */
const selection = {
  endpoint: Type.Optional(endpointId),
  reason: Type.Optional(reason),
  cause: Type.Optional(cause),
  type: Type.Optional(eventTypeName),
  after: Type.Optional(timestamp('Given up after this')),
  before: Type.Optional(timestamp('Given up before this')),
};
export const deadLetterSelection = named('DeadLetterSelection', Type.Object(selection, strict), {
  description: 'Which dead letters: those that match every field.',
  examples: [{ endpoint: 'ep_01k3v9h2c8m4n6p8q0r2s4t6v8', cause: 'http_503' }],
});
export type DeadLetterSelection = Static<typeof deadLetterSelection>;

export const deadLetterReplay = named(
  'DeadLetterReplay',
  Type.Object(
    {
      ...selection,
      per_second: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: limits.replayPerSecondMax,
          default: limits.replayPerSecondDefault,
          description: 'How many become due in a second.',
        }),
      ),
    },
    strict,
  ),
  {
    description: 'Which dead letters to replay, and how fast.',
    examples: [{ endpoint: 'ep_01k3v9h2c8m4n6p8q0r2s4t6v8', per_second: 50 }],
  },
);
export type DeadLetterReplay = Static<typeof deadLetterReplay>;

export const deadLetterListQuery = Type.Object(
  {
    ...pageFields,
    ...selection,
    replayed: Type.Optional(
      Type.Boolean({
        description: 'True: only those that were replayed; false: the others.',
        examples: [false],
      }),
    ),
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
          count: Type.Integer({ description: 'How many there are.', examples: [40] }),
          first_at: timestamp('When the first of them was given up'),
          last_at: timestamp('When the last of them was given up'),
        }),
        { description: 'Dead letters of one endpoint with one cause.' },
      ),
      { description: 'Those that were neither replayed nor discarded; the largest groups first.' },
    ),
  }),
  { description: 'Dead letters, grouped.' },
);
export type DeadLetterGroups = Static<typeof deadLetterGroups>;

export const replayedDeadLetter = named(
  'ReplayedDeadLetter',
  Type.Object({
    id: deadLetterId,
    delivery_id: resourceId('the new delivery', 'dlv'),
    replayed_at: timestamp('When it was replayed'),
  }),
  { description: 'A replayed dead letter and its new delivery.' },
);
export type ReplayedDeadLetter = Static<typeof replayedDeadLetter>;

export const replayedDeadLetters = named(
  'ReplayedDeadLetters',
  Type.Object({
    replayed: Type.Integer({
      description: `How many were replayed by this request: at most ${limits.deadLettersReplayedMax}, oldest first.`,
      examples: [40],
    }),
    more: Type.Boolean({
      description: 'More are left that can be replayed: ask again, after `paced_until`.',
      examples: [false],
    }),
    paced_until: nullable(timestamp('When the last of them is due; null where there was none')),
  }),
  { description: 'What a replay of many did.' },
);
export type ReplayedDeadLetters = Static<typeof replayedDeadLetters>;

export const discardedDeadLetters = named(
  'DiscardedDeadLetters',
  Type.Object({
    discarded: Type.Integer({ description: 'How many were discarded.', examples: [40] }),
  }),
  { description: 'What a discard of many did.' },
);
export type DiscardedDeadLetters = Static<typeof discardedDeadLetters>;
