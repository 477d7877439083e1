/** Optimistic concurrency (CT-11): a resource's revision as its ETag (RFC 9110, section 8.8.3). */
import { PosthornError } from '#domain/errors.ts';

/** The strong entity tag of a revision (RFC 9110, section 8.8.3). */
export function etagOf(revision: number): string {
  return `"${revision}"`;
}

/** The header fields of a conditional request (RFC 9110, section 13.1). */
export interface Preconditions {
  'if-match'?: string | undefined;
  'if-none-match'?: string | undefined;
}

/** The resource that a request selects: absent, or present, with or without an entity tag. */
export type Selected = { exists: false } | { exists: true; etag?: string | undefined };

/** What the preconditions of a request allow. */
export type PreconditionResult = 'proceed' | 'not_modified' | 'failed';

/**
 * Evaluates preconditions in the order of RFC 9110, section 13.2.2: `if-match`, then
 * `if-none-match`. No resource has a modification date or ranges, so the other conditions are
 * ignored, as the RFC requires.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID for a header that is no list of entity tags:
 *   ignoring it could overwrite a change
 */
export function evaluatePreconditions(
  method: string,
  headers: Preconditions,
  selected: Selected,
): PreconditionResult {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  if (ifMatch === undefined && ifNoneMatch === undefined) return 'proceed';
  const required = parseTags('if-match', ifMatch);
  const excluded = parseTags('if-none-match', ifNoneMatch);
  // The comparison is strong: a weak tag never matches.
  if (required !== undefined && !selects(required, selected)) return 'failed';
  const weak = excluded === '*' ? excluded : excluded?.map((tag) => tag.replace(/^W\//, ''));
  if (weak === undefined || !selects(weak, selected)) return 'proceed';
  return method === 'GET' || method === 'HEAD' ? 'not_modified' : 'failed';
}

/**
 * Checks the preconditions of a change.
 *
 * @param revision of the resource; undefined if it does not exist
 * @throws PosthornError POSTHORN_PRECONDITION_FAILED, POSTHORN_REQUEST_INVALID
 */
export function checkPreconditions(headers: Preconditions, revision: number | undefined): void {
  checkSelected(
    headers,
    revision === undefined ? { exists: false } : { exists: true, etag: etagOf(revision) },
  );
}

/** As `checkPreconditions`, for a resource that may have no revision. */
export function checkSelected(headers: Preconditions, selected: Selected): void {
  if (evaluatePreconditions('PUT', headers, selected) === 'failed') {
    throw preconditionFailed(selected, 'read it again, then change it');
  }
}

/** @param advice for a resource with an ETag */
export function preconditionFailed(selected: Selected, advice: string): PosthornError {
  return new PosthornError('POSTHORN_PRECONDITION_FAILED', { detail: stateOf(selected, advice) });
}

function stateOf(selected: Selected, advice: string): string {
  if (!selected.exists) return 'the resource does not exist';
  const { etag } = selected;
  if (etag === undefined) return 'the resource exists, and has no ETag';
  return `the resource is now at ${etag}; ${advice}`;
}

type Tags = '*' | string[];

function selects(tags: Tags, selected: Selected): boolean {
  if (!selected.exists) return false;
  return tags === '*' || (selected.etag !== undefined && tags.includes(selected.etag));
}

/** RFC 9110, section 8.8.3. */
const TAG = String.raw`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`;
/** Elements of a list may be empty (section 5.6.1). */
const LIST = String.raw`^[ \t,]*(?:${TAG}[ \t]*(?:,[ \t,]*|$))*$`;
const TAGS = new RegExp(LIST);
/** Pattern of the header fields, for the API reference. */
export const PRECONDITION_PATTERN = String.raw`^[ \t]*\*[ \t]*$|${LIST}`;

function parseTags(name: keyof Preconditions, value: string | undefined): Tags | undefined {
  if (value === undefined) return undefined;
  if (value.trim() === '*') return '*';
  if (TAGS.test(value)) return value.match(new RegExp(TAG, 'g')) ?? [];
  const detail = 'must be * or a list of entity tags, like "3"';
  throw new PosthornError('POSTHORN_REQUEST_INVALID', {
    fields: [{ pointer: `#header/${name}`, detail }],
  });
}
