/** Broadcast events in the API: how far each has come. */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, strict, timestamp } from './fields.ts';
import { pageFields, pageOf } from './page.ts';

const progress = named(
  'BroadcastProgress',
  Type.Object({
    done: Type.Integer({ description: 'How many have their copy stored.', examples: [120] }),
    total: nullable(
      Type.Integer({
        description: 'How many it goes to, by the configuration at its start; null before.',
        examples: [400],
      }),
    ),
  }),
  { description: 'How far a broadcast is.' },
);

const state = named(
  'BroadcastState',
  Type.Enum(['queued', 'running', 'done', 'cancelled'] as const, {
    description:
      '`queued`: behind another broadcast. `done`: every tenant has its copy, from which its deliveries are made.',
  }),
);

export const broadcast = named(
  'Broadcast',
  Type.Object({
    id: Type.String({
      description: 'The id of the event: of each of its copies too.',
      examples: ['evt_01k3v9h2c8m4n6p8q0r2s4t6v8'],
    }),
    type: Type.String({ description: 'Event type.', examples: ['platform.maintenance'] }),
    state,
    accepted_at: timestamp('When it was accepted'),
    starts_at: nullable(
      timestamp('When its first copy leaves: a large one waits; null while it is queued'),
    ),
    ended_at: nullable(timestamp('When it was done or cancelled')),
    tenants: progress,
    endpoints: progress,
  }),
  { description: 'A broadcast event and its progress.' },
);
export type Broadcast = Static<typeof broadcast>;

export const broadcastParams = Type.Object({
  broadcast: Type.String({
    minLength: 1,
    maxLength: limits.eventIdLengthMax,
    description: 'Id of a broadcast event.',
    examples: ['evt_01k3v9h2c8m4n6p8q0r2s4t6v8'],
  }),
});

export const broadcastListQuery = Type.Object(pageFields, strict);
export const broadcastPage = pageOf('BroadcastPage', broadcast);
