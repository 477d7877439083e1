/** Schemas that the lists of events, deliveries and attempts share. */
import { type Static, type TSchema, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, tenantId, timestamp } from '../fields.ts';
import { filterBy } from '../page.ts';

const partialSearch = nullable(
  named(
    'PartialSearch',
    Type.Object({
      reason: named(
        'PartialSearchReason',
        Type.Enum(['examined_limit', 'time_limit'], {
          description: `\`examined_limit\`: ${limits.searchExaminedMax} items were examined. \`time_limit\`: ${limits.searchMsMax / 1000} seconds have passed.`,
          examples: ['examined_limit'],
        }),
      ),
      examined_count: Type.Integer({
        description: 'Number of items that were compared with the filters.',
        examples: [limits.searchExaminedMax],
      }),
      reached_at: timestamp('Time of the last examined item'),
    }),
    {
      description:
        'Where a search stopped before the end of the list. Null: it did not. Continue with `next_cursor`, or use filters that an index serves.',
    },
  ),
);

export const searchPageOf = <T extends TSchema>(name: string, item: T) =>
  named(
    name,
    Type.Object({
      data: Type.Array(item),
      next_cursor: nullable(
        Type.String({
          description: 'Pass it as `cursor` to get the next page; null on the last page.',
          examples: ['WyJldmVudHMiLCJ4Il0'],
        }),
      ),
      partial: partialSearch,
    }),
    { description: 'The items of this page.' },
  );

export type PartialSearch = Static<typeof partialSearch>;

export const listCount = named(
  'ListCount',
  Type.Object({
    count: Type.Integer({ description: 'Number of items.', examples: [1284] }),
    relation: named(
      'CountRelation',
      Type.Enum(['exact', 'at_least'], {
        description: `\`exact\`: there are \`count\` items. \`at_least\`: there are more, or the search stopped early. A count is exact up to ${limits.countExactMax}.`,
        examples: ['exact'],
      }),
    ),
    partial: partialSearch,
  }),
  { description: 'Number of items that match the filters.' },
);
export type ListCount = Static<typeof listCount>;

/** Filter of the lists of all tenants. */
export const tenantField = { tenant_id: filterBy(tenantId) };

/** Query fields `<field>[gte]` and `<field>[lt]` of a whole number. */
export const integerRangeFields = <F extends string>(field: F) => {
  const bound = (text: string) =>
    Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: limits.filterIntegerMax,
        description: `Lists only items with \`${field}\` ${text}.`,
        examples: [3],
      }),
    );
  return {
    [`${field}[gte]`]: bound('of this or more'),
    [`${field}[lt]`]: bound('of less than this'),
  } as Record<`${F}[gte]` | `${F}[lt]`, ReturnType<typeof bound>>;
};

export const responseClasses = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

export const responseStatusFields = {
  response_status: filterBy(
    Type.Integer({
      minimum: 100,
      maximum: 599,
      description: 'HTTP status of the response.',
      examples: [503],
    }),
  ),
  response_class: filterBy(
    named('ResponseClass', Type.Enum(responseClasses), {
      description: 'Class of the HTTP status of the response.',
      examples: ['5xx'],
    }),
  ),
};
