/** How lists are asked for and answered. */
import { type TSchema, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';

/** Query fields of every list. */
export const pageFields = {
  limit: Type.Integer({
    minimum: 1,
    maximum: limits.pageSizeMax,
    default: limits.pageSizeDefault,
    description: 'Items on the page.',
  }),
  cursor: Type.Optional(
    Type.String({
      maxLength: limits.cursorLengthMax,
      description: '`next_cursor` of the page before; opaque.',
      examples: ['WyJ0ZW5hbnRzIiwiYWNtZSJd'],
    }),
  ),
};

export interface PageQuery {
  limit: number;
  cursor?: string;
}

/** @param name of the page in the reference */
export const pageOf = <T extends TSchema>(name: string, item: T) =>
  named(
    name,
    Type.Object({
      data: Type.Array(item),
      next_cursor: Type.Union([Type.String(), Type.Null()], {
        description: 'Asks for the next page; null on the last.',
        examples: ['WyJ0ZW5hbnRzIiwiYWNtZSJd'],
      }),
    }),
    { description: 'One page of the list.' },
  );
