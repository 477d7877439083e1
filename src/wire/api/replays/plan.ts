/** Schemas of plans: the items of a bulk action, counted before it is started (CT-18). */
import { type Static, type TSchema, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { planActions, planKinds } from '#domain/replay/plan-kinds.ts';
import { named } from '#wire/openapi/describe.ts';
import {
  eventId,
  eventTypeName,
  nullable,
  resourceId,
  strict,
  tenantId,
  timestamp,
} from '../fields.ts';
import { deliveryStatus } from '../delivery.ts';
import { pageFields, pageOf, timeRange } from '../page.ts';

/** One value, or several of which any fits, as a repeated query parameter. */
const oneOrMore = <T extends TSchema>(value: T, description: string) =>
  Type.Optional(
    Type.Union([value, Type.Array(value, { minItems: 1, maxItems: limits.filterValuesMax })], {
      description: `${description} Several: any of them.`,
    }),
  );

const word = Type.String({ minLength: 1, maxLength: 64, examples: ['http_503'] });

const filter = named(
  'PlanFilter',
  Type.Object(
    {
      event_id: oneOrMore(eventId, 'Deliveries of this event.'),
      endpoint_id: oneOrMore(resourceId('an endpoint', 'ep'), 'Deliveries to this endpoint.'),
      event_type: oneOrMore(eventTypeName, 'Events of this type.'),
      status: oneOrMore(deliveryStatus, 'Deliveries with this status.'),
      reason: oneOrMore(word, 'Deliveries or dead letters with this `reason`.'),
      cause: oneOrMore(word, 'Dead letters with this `cause`.'),
      accepted_at: Type.Optional(timeRange),
      failed_at: Type.Optional(timeRange),
    },
    strict,
  ),
  {
    description:
      'Filters, with the names that lists use; all of them must fit. Each kind of plan accepts some of them.',
    examples: [
      {
        endpoint_id: 'ep_01k3v9h2c8m4n6p8q0r2s4t6v8',
        accepted_at: { gte: '2026-01-31T12:00:00.000Z' },
      },
    ],
  },
);
export type PlanFilter = Static<typeof filter>;

export const planAction = named('PlanAction', Type.Enum(planActions), {
  description:
    '`replay`: send again. `cancel`: cancel waiting and held deliveries. `release`: send held deliveries although their endpoint is paused or disabled. `discard`: discard dead letters.',
});
export const planKind = named('PlanKind', Type.Enum(planKinds), {
  description:
    '`event`, `range`, `failed`, `held`: deliveries of events, by filter, or with this status. `missed`: events that an endpoint did not get. `unmatched`: events that matched nothing and match now.',
});
const perSecond = Type.Integer({
  minimum: 1,
  maximum: limits.replayPerSecondMax,
  description: 'Items that are started in a second, at most.',
  examples: [100],
});

export const newPlan = named(
  'NewPlan',
  Type.Object(
    {
      action: planAction,
      kind: planKind,
      filter: Type.Optional(filter),
      all: Type.Optional(
        Type.Literal(true, { description: 'Required if there is no filter: selects everything.' }),
      ),
      per_second: Type.Optional({ ...perSecond, default: limits.replayPerSecondDefault }),
    },
    strict,
  ),
  {
    description: 'The items to plan for.',
    examples: [
      {
        action: 'replay',
        kind: 'failed',
        filter: { endpoint_id: 'ep_01k3v9h2c8m4n6p8q0r2s4t6v8' },
        per_second: 100,
      },
    ],
  },
);
export type NewPlan = Static<typeof newPlan>;

const status = named('PlanStatus', Type.Enum(['counting', 'ready'] as const), {
  description: '`counting`: the list is being made. `ready`: the list is complete and can be run.',
});

export const tally = (description: string) =>
  Type.Array(
    named(
      'ReasonCount',
      Type.Object({
        reason: Type.String({ description: 'The reason.', examples: ['endpoint_deleted'] }),
        count: Type.Integer({ description: 'Number of items.', examples: [3] }),
      }),
      { description: 'How many items have the same reason.' },
    ),
    { description },
  );

export const planId = resourceId('a plan', 'pln');

export const plan = named(
  'Plan',
  Type.Object({
    id: planId,
    action: planAction,
    kind: planKind,
    filter,
    status,
    per_second: perSecond,
    count: Type.Integer({
      description: 'Number of listed items; exact once the plan is ready.',
      examples: [1200],
    }),
    more: Type.Boolean({
      description: `True if more items match than a list holds (${limits.planItemsMax}): the newest are not listed.`,
      examples: [false],
    }),
    examined_count: Type.Integer({ description: 'Documents examined so far.', examples: [5000] }),
    oldest_at: nullable(
      timestamp('When the first listed event was accepted; of dead letters: failed'),
    ),
    newest_at: nullable(timestamp('The same of the last one')),
    duration_seconds: Type.Integer({
      description: 'How long the list takes at its pace, at least.',
      examples: [12],
    }),
    left_out: tally('Items that were selected and are not listed, by reason.'),
    cut_off_at: timestamp('Nothing that came later is listed'),
    created_at: timestamp('When the plan was created'),
    expires_at: timestamp('Until when it can be started'),
    replay_id: nullable(resourceId('the replay that runs it; null: not started', 'rpl')),
  }),
  { description: 'The stored list of items that a bulk action would be applied to.' },
);
export type PlanResource = Static<typeof plan>;

export const planParams = Type.Object({ tenant: tenantId, plan: planId }, strict);
export const planListQuery = Type.Object(pageFields, strict);
export const planPage = pageOf('PlanPage', plan);
