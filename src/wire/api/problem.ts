/** Schemas of problem details (RFC 9457). */
import { Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';

export const problem = named(
  'Problem',
  Type.Object({
    type: Type.String({
      format: 'uri-reference',
      description:
        'Reference to the page about the error code, at the server that answered. It is permanent.',
      examples: ['/errors/POSTHORN_REQUEST_INVALID'],
    }),
    title: Type.String({
      description: 'What the error code means.',
      examples: ['The request is not valid'],
    }),
    status: Type.Integer({ description: 'HTTP status.', examples: [400] }),
    detail: Type.String({
      description: 'Explanation of the error in this request, for people.',
      examples: ['/url is required'],
    }),
    instance: Type.String({
      description: 'Path of the request.',
      examples: ['/v1/tenants/acme/endpoints'],
    }),
    code: Type.String({
      description: 'Error code, for programs. The error catalogue lists them all.',
      examples: ['POSTHORN_REQUEST_INVALID'],
    }),
    request_id: Type.String({
      description: 'Correlation id of the request; the log has it too.',
      examples: ['req_01k3v9h2c8m4n6p8q0r2s4t6v8'],
    }),
    errors: Type.Optional(
      Type.Array(
        named(
          'FieldError',
          Type.Object({
            pointer: Type.String({
              description: 'JSON pointer into the body, `#query/<name>`, or `#path/<name>`.',
              examples: ['/url'],
            }),
            detail: Type.String({
              description: 'Explanation of the fault.',
              examples: ['is required'],
            }),
          }),
          { description: 'A field that was rejected, and why.' },
        ),
      ),
    ),
  }),
  { description: 'An error (RFC 9457 problem details).' },
);

/**
 * Spread into the `response` of every route. The API reference replaces it with each status that
 * the route can answer, derived from the parameters, body and access of the route.
 */
export const problemAnswers = { '4xx': problem, '5xx': problem };

/** Answers that cannot be derived from the route's schemas; each body is a problem. */
export const problems = <S extends number>(...statuses: S[]) =>
  Object.fromEntries(statuses.map((status) => [status, problem])) as Record<S, typeof problem>;
