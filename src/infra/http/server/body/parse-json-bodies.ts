import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PosthornError } from '#domain/errors.ts';
import { findInexactNumber } from '#domain/json/inexact-number.ts';
import type { JsonBounds } from '#domain/json/json-bounds.ts';
import { type JsonNode, LEAF, type Wanted } from '#domain/json/json-outline.ts';
import { jsonRefusal } from '#domain/json/json-refusal.ts';
import { scanJson } from '#domain/json/scan-json.ts';
import { limits } from '#domain/limits.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import { takesNoBody } from './takes-no-body.ts';

/** Bounds of JSON bodies of the API: requests are smaller and simpler than events. */
export const requestJsonBounds: JsonBounds = {
  depthMax: limits.requestJsonDepthMax,
  valuesMax: limits.requestJsonValuesMax,
  containersMax: limits.requestJsonContainersMax,
  namesMax: limits.requestJsonNamesMax,
};

/**
 * Members of a body whose numbers are later compared with those of events. A number that a double
 * cannot represent exactly is refused, because it would silently become another one.
 */
const EXACT_MEMBERS: Wanted = {
  named: new Map([
    ['filter', LEAF],
    ['schema', LEAF],
  ]),
};

/**
 * Parses request bodies on routes without their own parser. A scanner validates each body first and
 * stops at the bounds; it reads large bodies in slices. Then Fastify's parser runs.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  const turns = new JsonTurns();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    (request, body, done) => {
      // A chunked body shows only at its end that it is empty.
      if (body.length === 0 && takesNoBody(request.routeOptions.schema?.body)) {
        done(null, undefined);
        return;
      }
      const finish = (outline?: JsonNode): void => {
        const inexact = outline && inexactMember(body, outline);
        if (inexact === undefined) void parse(request, body.toString(), done);
        else done(inexact, undefined);
      };
      const fail = (fault: unknown): void => {
        done(jsonRefusal(fault, 'POSTHORN_REQUEST_INVALID') as Error, undefined);
      };
      if (turns.isLarge(body)) {
        turns.read(ownerOf(request), body, EXACT_MEMBERS, requestJsonBounds).then(finish, fail);
        return;
      }
      let outline: JsonNode | undefined;
      try {
        // Fastify's parser has its own error for an empty body.
        if (body.length > 0) outline = scanJson(body, EXACT_MEMBERS, requestJsonBounds);
      } catch (fault) {
        fail(fault);
        return;
      }
      finish(outline);
    },
  );
}

function inexactMember(body: Buffer, outline: JsonNode): PosthornError | undefined {
  for (const [name, { start, end }] of outline.children) {
    const inexact = findInexactNumber(body.toString('utf8', start, end));
    if (inexact === undefined) continue;
    const detail =
      `${inexact.source} has more digits than a 64-bit float keeps; ` +
      'send a number that it keeps, or a string';
    const fields = [{ pointer: `/${name}${inexact.pointer}`, detail }];
    return new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
  }
  return undefined;
}

function ownerOf({ params }: FastifyRequest): string {
  return (params as { tenant?: string } | undefined)?.tenant ?? '';
}
