/** Problem details (RFC 9457) as the reference shows them. */
import { Type } from 'typebox';
import { PROBLEM_MEDIA_TYPE } from '#wire/problem.ts';

export const problem = Type.Object({
  type: Type.String({ format: 'uri' }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  instance: Type.String(),
  code: Type.String({ examples: ['POSTHORN_REQUEST_INVALID'] }),
  request_id: Type.String(),
  errors: Type.Optional(
    Type.Array(
      Type.Object({
        pointer: Type.String({
          description: 'JSON pointer into the body, `#query/<name>` or `#path/<name>`.',
        }),
        detail: Type.String(),
      }),
    ),
  ),
});

const answer = (description: string) => ({
  description,
  content: { [PROBLEM_MEDIA_TYPE]: { schema: problem } },
});

/** Spread into the `response` of every route. */
export const problemAnswers = {
  '4xx': answer('The request was refused; `code` says why, `errors` where.'),
  '5xx': answer('It could not be done now; 503 says in `Retry-After` when to try again.'),
};
