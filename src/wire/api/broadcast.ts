/** Schemas of broadcast events and their progress. */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, strict, timestamp } from './fields.ts';
import { pageFields, pageOf } from './page.ts';

const progress = named(
  'BroadcastProgress',
  Type.Object({
    done_count: Type.Integer({
      description: 'Number of recipients whose copy is stored.',
      examples: [120],
    }),
    total_count: nullable(
      Type.Integer({
        description:
          'Number of recipients, by the configuration when the broadcast started; null before the start.',
        examples: [400],
      }),
    ),
  }),
  { description: 'Progress of a broadcast.' },
);

const status = named(
  'BroadcastStatus',
  Type.Enum(['queued', 'running', 'done', 'cancelled'] as const, {
    description:
      '`queued`: waits for an earlier broadcast. `running`: copies are being stored. `done`: every tenant has its copy, from which its deliveries are made. `cancelled`: stopped by a request.',
  }),
);

export const broadcast = named(
  'Broadcast',
  Type.Object({
    id: Type.String({
      description:
        'Id of the event, derived from the source and the chosen id (`bc_…`), or generated (`evt_…`). Each copy has the same id.',
      examples: ['evt_01k3v9h2c8m4n6p8q0r2s4t6v8'],
    }),
    producer_id: Type.String({
      description: 'Id that the producer chose; `id` if it chose none.',
      examples: ['maintenance-2026-11'],
    }),
    event_type: Type.String({
      description: 'Type of the event.',
      examples: ['platform.maintenance'],
    }),
    status,
    accepted_at: timestamp('When the event was accepted'),
    starts_at: nullable(
      timestamp(
        'When the first copy is stored; a broadcast to many recipients waits before it starts. Null while `queued`',
      ),
    ),
    ended_at: nullable(timestamp('When the broadcast was done or cancelled')),
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
