import { limits } from '#domain/limits.ts';
import { ACCEPT_ENCODING } from '#infra/http/server/body/content-coding.ts';
import type { AnswerHeader } from '#wire/openapi/describe.ts';

/** `components.headers`: the description of each response header. */
export const headerComponents: Readonly<Record<AnswerHeader, object>> = {
  'accept-encoding': text('Content codings that a request body may have.', ACCEPT_ENCODING),
  allow: text('The methods that the path supports.', 'GET, POST'),
  'content-disposition': text(
    'Instructs a browser to save the body instead of showing it.',
    'attachment',
  ),
  etag: text('The revision of the resource; send it as `if-match`.', '"3"'),
  'idempotency-replayed': {
    description: '`true`: the request was processed before; this repeats its first answer.',
    schema: { type: 'string', const: 'true' },
    example: 'true',
  },
  location: text(
    'Path of the created resource.',
    '/v1/tenants/acme/endpoints/ep_01k3v9h2c8m4n6p8q0r2s4t6v8',
  ),
  ratelimit: text(
    'For each limit: the requests that are admitted now, and the seconds until the whole burst is. Absent: there is no limit.',
    '"key";r=4;t=1',
  ),
  'ratelimit-policy': text(
    'For each limit: the requests (`q`) that are admitted in a time window of `w` seconds.',
    '"key";q=10;w=1',
  ),
  'retry-after': {
    description: 'Seconds to wait before the request is repeated.',
    schema: { type: 'integer', minimum: 0 },
    example: 1,
  },
  'set-cookie': text(
    'The cookie of the session, or its removal.',
    '__Host-posthorn_session=phs_example; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=3600',
  ),
  'www-authenticate': text('The authentication scheme that is required.', 'Bearer'),
  'x-request-id': text(
    'The correlation id: the one of your request, or a new one. The log and every attempt have it.',
    'req_01k3v9h2c8m4n6p8q0r2s4t6v8',
  ),
};

/** The request header of every route with a body: bodies are decoded before they are validated. */
export const contentEncoding = {
  name: 'content-encoding',
  in: 'header',
  required: false,
  description: `Content codings of the body, at most ${limits.contentCodingsMax}, in the order in which they were applied: ${ACCEPT_ENCODING}. Absent: the body is not encoded.`,
  schema: { type: 'string' },
  example: 'gzip',
} as const;

function text(description: string, example: string): object {
  return { description, schema: { type: 'string' }, example };
}
