/** Problem details (RFC 9457) as the reference shows them. */
import { Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';

export const problem = named(
  'Problem',
  Type.Object({
    type: Type.String({ format: 'uri' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String(),
    code: Type.String({ examples: ['POSTHORN_REQUEST_INVALID'] }),
    request_id: Type.String(),
    errors: Type.Optional(
      Type.Array(
        named(
          'FieldError',
          Type.Object({
            pointer: Type.String({
              description: 'JSON pointer into the body, `#query/<name>` or `#path/<name>`.',
            }),
            detail: Type.String(),
          }),
        ),
      ),
    ),
  }),
);

/**
 * Spread into the `response` of every route. The reference puts in its place each status that the
 * route can answer: which, follows from what the route takes.
 */
export const problemAnswers = { '4xx': problem, '5xx': problem };

/** Answers that do not follow from what a route takes, each a problem. */
export const problems = <S extends number>(...statuses: S[]) =>
  Object.fromEntries(statuses.map((status) => [status, problem])) as Record<S, typeof problem>;
