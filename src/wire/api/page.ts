/** Schemas of paginated lists. */
import { type TSchema, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';

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
