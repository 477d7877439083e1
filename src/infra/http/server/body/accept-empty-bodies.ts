import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { PosthornError } from '#domain/errors.ts';
import { takesNoBody } from './takes-no-body.ts';

/**
 * Reads bodies of every media type that has no parser: an empty one is no body, and is accepted
 * if none is needed. A chunked body shows only at its end that it is empty (RFC 9112, section
 * 7.1). The first byte of any other is answered with 415.
 */
export function acceptEmptyBodies(app: FastifyInstance): void {
  app.addContentTypeParser('*', (request, payload, done) => {
    const refuse = (): void => {
      const detail = `${typeOf(request.raw)} is not supported; send application/json`;
      done(new PosthornError('POSTHORN_MEDIA_TYPE_UNSUPPORTED', { detail }));
    };
    if (!takesNoBody(request.routeOptions.schema?.body)) {
      refuse();
      return;
    }
    const end = (): void => settle(() => done(null, undefined));
    const settle = (report: () => void): void => {
      payload.off('data', onData).off('end', end).off('error', onError);
      report();
    };
    const onData = (chunk: Buffer): void => {
      // A decoded body comes as one chunk, even if it is empty.
      if (chunk.length > 0) settle(refuse);
    };
    const onError = (error: Error): void => settle(() => done(error));
    payload.on('data', onData).on('end', end).on('error', onError);
  });
}

/** As it was sent: the parsed header is deleted if no body is needed. */
function typeOf({ rawHeaders }: IncomingMessage): string {
  const at = rawHeaders.findIndex((name, i) => i % 2 === 0 && /^content-type$/i.test(name));
  return at === -1 ? 'no content type' : (rawHeaders[at + 1] as string);
}
