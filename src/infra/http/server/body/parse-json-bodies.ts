import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PosthornError } from '#domain/errors.ts';
import { duplicateMember } from '#domain/json/duplicate-member.ts';
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
const EXACT_NAMES: ReadonlyMap<string, Wanted> = new Map([
  ['filter', LEAF],
  ['schema', LEAF],
]);
const EXACT_MEMBERS: Wanted = { named: EXACT_NAMES };

/** A member of a request body, unparsed. */
export class JsonMember {
  readonly bytes: Buffer;
  /** Position of the member's value in `bytes`. */
  readonly node: JsonNode;

  constructor(bytes: Buffer, node: JsonNode) {
    this.bytes = bytes;
    this.node = node;
  }

  /** Returns the JSON text, so that the fingerprint of the request covers the member. */
  toJSON(): string {
    return this.bytes.toString('utf8', this.node.start, this.node.end);
  }
}

/** A member that the route reads itself, from the bytes. */
export interface UnparsedMember {
  name: string;
  /** The parts to find in it. */
  wanted: Wanted;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The handler receives it as a `JsonMember`. */
    unparsedMember?: UnparsedMember;
  }
}

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
      const { unparsedMember } = request.routeOptions.config;
      const wanted = wantedOf(unparsedMember);
      const finish = (outline?: JsonNode): void => {
        const refusal = outline && (duplicateKey(outline) ?? inexactMember(body, outline));
        const node = unparsedMember && outline?.children.get(unparsedMember.name);
        if (refusal !== undefined) done(refusal, undefined);
        else if (unparsedMember === undefined || node === undefined) {
          void parse(request, body.toString(), done);
        } else {
          const member = new JsonMember(body, node);
          void parse(request, textWithout(body, node), (error, value) => {
            if (error !== null) done(error, undefined);
            else done(null, { ...(value as object), [unparsedMember.name]: member });
          });
        }
      };
      const fail = (fault: unknown): void => {
        done(jsonRefusal(fault, 'POSTHORN_REQUEST_INVALID') as Error, undefined);
      };
      if (turns.isLarge(body)) {
        turns.read(ownerOf(request), body, wanted, requestJsonBounds).then(finish, fail);
        return;
      }
      let outline: JsonNode | undefined;
      try {
        // Fastify's parser has its own error for an empty body.
        if (body.length > 0) outline = scanJson(body, wanted, requestJsonBounds);
      } catch (fault) {
        fail(fault);
        return;
      }
      finish(outline);
    },
  );
}

function wantedOf(unparsed: UnparsedMember | undefined): Wanted {
  if (unparsed === undefined) return EXACT_MEMBERS;
  return { named: new Map([...EXACT_NAMES, [unparsed.name, unparsed.wanted]]) };
}

/** The text of a body with `null` for one of its values. */
function textWithout(body: Buffer, { start, end }: JsonNode): string {
  return `${body.toString('utf8', 0, start)}null${body.toString('utf8', end)}`;
}

function duplicateKey(outline: JsonNode): PosthornError | undefined {
  const fault = duplicateMember(outline, '');
  if (fault === undefined) return undefined;
  return new PosthornError('POSTHORN_REQUEST_INVALID', { fields: [fault] });
}

function inexactMember(body: Buffer, outline: JsonNode): PosthornError | undefined {
  for (const name of EXACT_NAMES.keys()) {
    const node = outline.children.get(name);
    if (node === undefined) continue;
    const { start, end } = node;
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
