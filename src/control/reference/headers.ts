import type { AnswerHeader } from '#wire/openapi/describe.ts';

/** `components.headers`: what each response header says. */
export const headerComponents: Readonly<Record<AnswerHeader, object>> = {
  'accept-encoding': text('Codings that a body may have.', 'gzip, deflate, br, zstd'),
  allow: text('The methods that the path has.', 'GET, POST'),
  'content-disposition': text('Tells a browser to save the body and not to show it.', 'attachment'),
  etag: text('The revision of the resource, for `if-match`.', '"3"'),
  'idempotency-replayed': {
    description: 'The event had been stored before; this is the first answer again.',
    schema: { type: 'string', const: 'true' },
    example: 'true',
  },
  location: text(
    'Path of the resource.',
    '/v1/tenants/acme/endpoints/ep_01k3v9h2c8m4n6p8q0r2s4t6v8',
  ),
  'retry-after': {
    description: 'Seconds to wait before the request is sent again.',
    schema: { type: 'integer', minimum: 0 },
    example: 1,
  },
  'www-authenticate': text('The scheme that is asked for.', 'Bearer'),
  'x-request-id': text(
    'The correlation id: yours from the request, or a new one. The log and every attempt have it.',
    'req_01k3v9h2c8m4n6p8q0r2s4t6v8',
  ),
};

function text(description: string, example: string): object {
  return { description, schema: { type: 'string' }, example };
}
