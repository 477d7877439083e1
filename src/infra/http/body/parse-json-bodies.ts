import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { JsonBounds } from '#domain/json/json-bounds.ts';
import { jsonRefusal } from '#domain/json/json-refusal.ts';
import { scanJson } from '#domain/json/scan-json.ts';
import { limits } from '#domain/limits.ts';
import { JsonTurns } from '#infra/json-turns.ts';

/** What the body of a request to the API may hold: requests are smaller and simpler than events. */
export const requestJsonBounds: JsonBounds = {
  depthMax: limits.requestJsonDepthMax,
  valuesMax: limits.requestJsonValuesMax,
  containersMax: limits.requestJsonContainersMax,
  namesMax: limits.requestJsonNamesMax,
};

/**
 * Parses the bodies of requests, on routes that have no parser of their own. A body is first
 * validated by a scanner, which stops at its bounds, a large one in slices; then it is parsed as
 * Fastify does it.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  const turns = new JsonTurns();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    (request, body, done) => {
      const finish = (): void => void parse(request, body.toString(), done);
      const fail = (fault: unknown): void => {
        done(jsonRefusal(fault, 'POSTHORN_REQUEST_INVALID') as Error, undefined);
      };
      if (turns.isLarge(body)) {
        turns.read(ownerOf(request), body, undefined, requestJsonBounds).then(finish, fail);
        return;
      }
      try {
        // Fastify's parser has an error of its own for nothing.
        if (body.length > 0) scanJson(body, undefined, requestJsonBounds);
      } catch (fault) {
        fail(fault);
        return;
      }
      finish();
    },
  );
}

function ownerOf({ params }: FastifyRequest): string {
  return (params as { tenant?: string } | undefined)?.tenant ?? '';
}
