/** Schemas of the numbers of sequenced endpoints (DL-23). */
import { type Static, Type } from 'typebox';
import { deliveryStatuses } from '#domain/outcome/delivery.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventId, eventTypeName, nullable, resourceId, strict, timestamp } from '../fields.ts';
import { pageFields } from '../page.ts';

const sequence = (description: string, example: number) =>
  Type.Integer({
    minimum: 1,
    maximum: limits.sequenceMax,
    description,
    examples: [example],
  });

export const reconcileQuery = Type.Object(
  {
    ...pageFields,
    from: Type.Optional(sequence('The first number to list. Absent: 1.', 41)),
    to: Type.Optional(sequence('The last number to list. Absent: the last one given.', 43)),
  },
  strict,
);
export type ReconcileQuery = Static<typeof reconcileQuery>;

/** `unrecorded`: the history has no delivery with the number. */
export const sequenceStatuses = [...deliveryStatuses, 'unrecorded'] as const;

const sequenceNumber = named(
  'SequenceNumber',
  Type.Object({
    sequence: sequence('The number: `posthorn-sequence` of the webhook.', 42),
    status: named(
      'SequenceStatus',
      Type.Enum(sequenceStatuses, {
        description:
          "The status of the delivery with this number; with replays, that of the one that came furthest. `unrecorded`: the history does not show it yet, or it has expired. The event's subscription may also have been removed before the delivery was made.",
      }),
    ),
    event_id: nullable(eventId),
    event_type: nullable(eventTypeName),
    delivery_id: nullable(resourceId('the delivery with this status', 'dlv')),
    accepted_at: nullable(timestamp('When the event was stored')),
  }),
  { description: 'A number of a sequenced endpoint, with its event and its state.' },
);
export type SequenceNumber = Static<typeof sequenceNumber>;

export const sequencePage = named(
  'SequencePage',
  Type.Object({
    data: Type.Array(sequenceNumber),
    next_cursor: Type.Union([Type.String(), Type.Null()], {
      description: 'Pass it as `cursor` to get the next page; null on the last page.',
      examples: ['WyJyZWNvbmNpbGUiLDQzXQ'],
    }),
    last_sequence: Type.Integer({
      description: 'The last number that was given; 0: none yet.',
      examples: [43],
    }),
  }),
  {
    description: `Every number of the range, in ascending order, without gaps. The event of an \`unrecorded\` number is known while it is among the newest ${limits.sequencesKept.toLocaleString('en')} of the endpoint.`,
  },
);
export type SequencePage = Static<typeof sequencePage>;
