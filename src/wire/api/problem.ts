/** Problem details (RFC 9457) as the reference shows them. */
import { Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';

export const problem = named(
  'Problem',
  Type.Object({
    type: Type.String({
      format: 'uri',
      description: 'Names the code; leads to its documentation.',
      examples: ['https://posthorn.dev/errors/POSTHORN_REQUEST_INVALID'],
    }),
    title: Type.String({
      description: 'What the code means.',
      examples: ['The request does not have the form that is asked for'],
    }),
    status: Type.Integer({ description: 'HTTP status.', examples: [400] }),
    detail: Type.String({
      description: 'What is wrong with this request.',
      examples: ['/url is missing'],
    }),
    instance: Type.String({
      description: 'Path of the request.',
      examples: ['/v1/tenants/acme/endpoints'],
    }),
    code: Type.String({
      description: 'For programs: one of the error catalogue.',
      examples: ['POSTHORN_REQUEST_INVALID'],
    }),
    request_id: Type.String({
      description: 'The correlation id, which the log has too.',
      examples: ['req_01k3v9h2c8m4n6p8q0r2s4t6v8'],
    }),
    errors: Type.Optional(
      Type.Array(
        named(
          'FieldError',
          Type.Object({
            pointer: Type.String({
              description: 'JSON pointer into the body, `#query/<name>` or `#path/<name>`.',
              examples: ['/url'],
            }),
            detail: Type.String({
              description: 'What is wrong with it.',
              examples: ['is missing'],
            }),
          }),
          { description: 'A field that was refused.' },
        ),
      ),
    ),
  }),
  { description: 'What went wrong (RFC 9457).' },
);

/**
 * Spread into the `response` of every route. The reference puts in its place each status that the
 * route can answer: which, follows from what the route takes.
 */
export const problemAnswers = { '4xx': problem, '5xx': problem };

/** Answers that do not follow from what a route takes, each a problem. */
export const problems = <S extends number>(...statuses: S[]) =>
  Object.fromEntries(statuses.map((status) => [status, problem])) as Record<S, typeof problem>;
