/** Schemas of replays: jobs that apply an action to the list of a plan (CT-6). */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, resourceId, strict, tenantId, timestamp } from '../fields.ts';
import { pageFields, pageOf } from '../page.ts';
import { planAction, planId, planKind, tally } from './plan.ts';

const replayId = resourceId('a replay', 'rpl');
const perSecond = Type.Integer({
  minimum: 1,
  maximum: limits.replayPerSecondMax,
  description: 'Items that are started in a second, at most.',
  examples: [100],
});

export const newReplay = named(
  'NewReplay',
  Type.Object({ plan_id: planId, per_second: Type.Optional(perSecond) }, strict),
  {
    description: 'The plan to run, and its pace if it differs.',
    examples: [{ plan_id: 'pln_01k3v9h2c8m4n6p8q0r2s4t6v8' }],
  },
);
export type NewReplay = Static<typeof newReplay>;

export const replayChange = named('ReplayChange', Type.Object({ per_second: perSecond }, strict), {
  description: 'The new pace.',
});

const status = named(
  'ReplayStatus',
  Type.Enum(['running', 'paused', 'completed', 'cancelled'] as const),
  { description: '`completed` and `cancelled` are final.' },
);

export const replay = named(
  'Replay',
  Type.Object({
    id: replayId,
    plan_id: planId,
    action: planAction,
    kind: planKind,
    status,
    per_second: perSecond,
    progress: named(
      'ReplayProgress',
      Type.Object({
        done_count: Type.Integer({ description: 'Items that are done.', examples: [800] }),
        total_count: Type.Integer({ description: 'Items of the plan.', examples: [1200] }),
      }),
      { description: 'Progress of a replay.' },
    ),
    results: tally(
      'Results of the items that are done: `replayed`, `cancelled`, `released` or `discarded`, or why nothing was done.',
    ),
    created_at: timestamp('When it was started'),
    updated_at: timestamp('When its progress was last written'),
    ended_at: nullable(timestamp('When it was completed or cancelled')),
  }),
  { description: 'A job that applies an action to each item of a plan.' },
);
export type ReplayResource = Static<typeof replay>;

export const replayParams = Type.Object({ tenant: tenantId, replay: replayId }, strict);
export const replayListQuery = Type.Object(pageFields, strict);
export const replayPage = pageOf('ReplayPage', replay);
