/** Optimistic concurrency (CT-11): a resource's revision as its ETag (RFC 9110, section 8.8.3). */
import { PosthornError } from '#domain/errors.ts';

/** The strong entity tag of a revision (RFC 9110, section 8.8.3). */
export function etagOf(revision: number): string {
  return `"${revision}"`;
}

/**
 * Checks the header `if-match` of a change against the current resource. Without the header any
 * revision matches. A weak tag never matches, as the comparison is strong.
 *
 * @param revision undefined if the resource does not exist
 * @throws PosthornError POSTHORN_PRECONDITION_FAILED
 */
export function checkIfMatch(ifMatch: string | undefined, revision: number | undefined): void {
  if (ifMatch === undefined) return;
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  const matches = revision !== undefined && (tags.includes('*') || tags.includes(etagOf(revision)));
  if (matches) return;
  const detail =
    revision === undefined
      ? 'there is nothing yet that could match'
      : `it is now at ${etagOf(revision)}; read it again, then change it`;
  throw new PosthornError('POSTHORN_PRECONDITION_FAILED', { detail });
}

/** The preconditions of a PUT or GET (RFC 9110, section 13.1). */
export interface Preconditions {
  'if-match'?: string | undefined;
  'if-none-match'?: string | undefined;
}

/**
 * Checks the preconditions of a PUT. `if-none-match: *` creates and never replaces.
 *
 * @param revision undefined if the resource does not exist
 * @throws PosthornError POSTHORN_PRECONDITION_FAILED
 */
export function checkPutPreconditions(headers: Preconditions, revision: number | undefined): void {
  checkIfMatch(headers['if-match'], revision);
  const etag = revision === undefined ? undefined : etagOf(revision);
  if (!matchesNone(headers['if-none-match'], etag)) {
    throw new PosthornError('POSTHORN_PRECONDITION_FAILED', { detail: `it exists, at ${etag}` });
  }
}

/**
 * Whether `if-none-match` lets the request through: it is absent, or none of its tags is the
 * resource's. Weak tags match too (RFC 9110, section 13.1.2).
 */
export function matchesNone(ifNoneMatch: string | undefined, etag: string | undefined): boolean {
  if (ifNoneMatch === undefined || etag === undefined) return true;
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return !tags.includes('*') && !tags.includes(etag);
}
