import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { essenceOf } from '#domain/event/media-type.ts';
import { findNameFault, hasPlainNames } from '#domain/json/check-names.ts';
import { findInexactNumber } from '#domain/json/inexact-number.ts';
import type { JsonBounds } from '#domain/json/json-bounds.ts';
import { type JsonNode, LEAF, type Wanted } from '#domain/json/json-outline.ts';
import { jsonRefusal } from '#domain/json/json-refusal.ts';
import { scanJson } from '#domain/json/scan-json.ts';
import { limits } from '#domain/limits.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import { takesNoBody } from './takes-no-body.ts';

/** JSON merge patch (RFC 7396): the bodies of PATCH, which may also be `application/json`. */
export const MERGE_PATCH_TYPE = 'application/merge-patch+json';

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
  ['document', LEAF],
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
 * stops at the bounds; it reads large bodies in slices.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  const turns = new JsonTurns();
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<Buffer>(
    ['application/json', MERGE_PATCH_TYPE],
    { parseAs: 'buffer' },
    (request, body, done) => {
      if (isMisplacedPatch(request)) {
        const detail = `${MERGE_PATCH_TYPE} is accepted only with PATCH`;
        done(new PosthornError('POSTHORN_MEDIA_TYPE_UNSUPPORTED', { detail }));
        return;
      }
      const { schema, config } = request.routeOptions;
      // A chunked body shows only at its end that it is empty.
      if (body.length === 0) {
        if (takesNoBody(schema?.body)) done(null, undefined);
        else done(new PosthornError('POSTHORN_BODY_INVALID', { detail: 'the body is empty' }));
        return;
      }
      const { unparsedMember } = config;
      const finish = (outline: JsonNode): void => {
        try {
          const value = parse(body, outline, unparsedMember);
          refuseInexactMembers(body, outline);
          done(null, value);
        } catch (error) {
          done(error as Error);
        }
      };
      const fail = (fault: unknown): void => {
        done(jsonRefusal(fault, 'POSTHORN_REQUEST_INVALID') as Error);
      };
      const wanted = wantedOf(unparsedMember);
      if (turns.isLarge(body)) {
        turns.read(ownerOf(request), body, wanted, requestJsonBounds).then(finish, fail);
        return;
      }
      let outline: JsonNode;
      try {
        outline = scanJson(body, wanted, requestJsonBounds);
      } catch (fault) {
        fail(fault);
        return;
      }
      finish(outline);
    },
  );
}

/** A merge patch describes a change: as the body of another method its nulls would be values. */
function isMisplacedPatch({ method, headers }: FastifyRequest): boolean {
  return method !== 'PATCH' && essenceOf(headers['content-type'] ?? '') === MERGE_PATCH_TYPE;
}

function wantedOf(unparsed: UnparsedMember | undefined): Wanted {
  if (unparsed === undefined) return EXACT_MEMBERS;
  return { named: new Map([...EXACT_NAMES, [unparsed.name, unparsed.wanted]]) };
}

/**
 * Parses a body. Of two members with one name only the last would be used, and `__proto__` would
 * change the prototype of a copy.
 *
 * @param outline of the body, which the scanner has accepted
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
function parse(body: Buffer, outline: JsonNode, unparsed: UnparsedMember | undefined): unknown {
  const node = unparsed && outline.children.get(unparsed.name);
  const value: unknown = JSON.parse(node === undefined ? body.toString() : textWithout(body, node));
  const unseen = node === undefined ? 0 : scanJson(body.subarray(node.start, node.end)).members;
  if (!hasPlainNames(value, outline.members - unseen)) {
    const fault = findNameFault(body, node);
    if (fault !== undefined) throw invalid([fault]);
  }
  if (unparsed === undefined || node === undefined) return value;
  return { ...(value as object), [unparsed.name]: new JsonMember(body, node) };
}

/** The text of a body with `null` for one of its values. */
function textWithout(body: Buffer, { start, end }: JsonNode): string {
  return `${body.toString('utf8', 0, start)}null${body.toString('utf8', end)}`;
}

function invalid(fields: FieldError[]): PosthornError {
  return new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

/** @throws PosthornError POSTHORN_REQUEST_INVALID */
function refuseInexactMembers(body: Buffer, outline: JsonNode): void {
  for (const name of EXACT_NAMES.keys()) {
    const node = outline.children.get(name);
    if (node === undefined) continue;
    const { start, end } = node;
    const inexact = findInexactNumber(body.toString('utf8', start, end));
    if (inexact === undefined) continue;
    const detail =
      `${inexact.source} has more digits than a 64-bit float keeps; ` +
      'send a number that it keeps, or a string';
    throw invalid([{ pointer: `/${name}${inexact.pointer}`, detail }]);
  }
}

function ownerOf({ params }: FastifyRequest): string {
  return (params as { tenant?: string } | undefined)?.tenant ?? '';
}
