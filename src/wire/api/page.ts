/** Schemas of paginated lists. */
import { type TOptional, type TSchema, type TString, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { strict, timestamp } from './fields.ts';

/** Query fields of every list. */
export const pageFields = {
  limit: Type.Integer({
    minimum: 1,
    maximum: limits.pageSizeMax,
    default: limits.pageSizeDefault,
    description: 'Maximum number of items on the page.',
  }),
  cursor: Type.Optional(
    Type.String({
      maxLength: limits.cursorLengthMax,
      description: '`next_cursor` of the previous page; an opaque string.',
      examples: ['WyJ0ZW5hbnRzIiwiYWNtZSJd'],
    }),
  ),
};

export interface PageQuery {
  limit: number;
  cursor?: string;
}

export const listOrders = ['newest', 'oldest'] as const;
export type ListOrder = (typeof listOrders)[number];

const orderOf = (name: string, first: ListOrder) =>
  named(
    name,
    Type.Enum(listOrders, {
      default: first,
      description: '`newest`: the newest item is the first. `oldest`: the oldest.',
      examples: [first],
    }),
  );
const orders = {
  newest: orderOf('NewestOrder', 'newest'),
  oldest: orderOf('OldestOrder', 'oldest'),
};

/** The query field `order`. @param first the order of a request without it */
export const orderField = (first: ListOrder) => ({ order: orders[first] });

export interface OrderedPageQuery extends PageQuery {
  order: ListOrder;
}

/** A filter of a list: it may be repeated, and an item matches if it has any of the values. */
export const filterBy = <T extends TSchema>(field: T) =>
  Type.Optional(
    Type.Array(field, {
      minItems: 1,
      maxItems: limits.filterValuesMax,
      description: `Lists only items with this value. Repeat the parameter for any of several values, at most ${limits.filterValuesMax}.`,
    }),
  );

/** A time range in the body of a request. */
export const timeRange = named(
  'TimeRange',
  Type.Object(
    {
      gte: Type.Optional(timestamp('The range begins at this time')),
      lt: Type.Optional(timestamp('The range ends before this time')),
    },
    { ...strict, minProperties: 1 },
  ),
  { description: 'A time range: half open, one bound may be left out.' },
);

/** Query fields that limit a list to a time range. @param field the filtered field */
export const timeRangeFields = <F extends string>(field: F) =>
  ({
    [`${field}[gte]`]: Type.Optional(
      timestamp(`Lists only items with \`${field}\` at this time or later`),
    ),
    [`${field}[lt]`]: Type.Optional(
      timestamp(`Lists only items with \`${field}\` before this time`),
    ),
  }) as Record<`${F}[gte]` | `${F}[lt]`, TOptional<TString>>;

/** @param name name of the page's schema in the API reference */
export const pageOf = <T extends TSchema>(name: string, item: T) =>
  named(
    name,
    Type.Object({
      data: Type.Array(item),
      next_cursor: Type.Union([Type.String(), Type.Null()], {
        description: 'Pass it as `cursor` to get the next page; null on the last page.',
        examples: ['WyJ0ZW5hbnRzIiwiYWNtZSJd'],
      }),
    }),
    { description: 'The items of this page.' },
  );
