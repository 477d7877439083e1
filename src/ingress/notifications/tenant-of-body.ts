import { PosthornError } from '#domain/errors.ts';
import { type JsonNode, LEAF, type Wanted } from '#domain/json/json-outline.ts';
import { isTenantId } from '#domain/tenant.ts';

/** The names in a JSON pointer (RFC 6901), unescaped. */
export function pointerNames(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The part of a body to find: the value at a pointer. */
export function wantedAt(names: readonly string[]): Wanted {
  return names.reduceRight<Wanted>((below, name) => ({ named: new Map([[name, below]]) }), LEAF);
}

/**
 * The id of the tenant that a body names: a string, or a whole number, at a pointer.
 *
 * @param outline of the body, with `wantedAt`
 * @throws PosthornError POSTHORN_EVENT_INVALID
 */
export function tenantOfBody(body: Buffer, outline: JsonNode, pointer: string): string {
  let node: JsonNode | undefined = outline;
  for (const name of pointerNames(pointer)) {
    if (node?.repeated !== undefined) throw invalid(pointer, 'duplicate key');
    node = node?.children.get(name);
  }
  if (node === undefined) throw invalid(pointer, 'is required: it names the tenant');
  const text = body.toString('utf8', node.start, node.end);
  const value: unknown = node.depth === 0 ? JSON.parse(text) : undefined;
  const id = Number.isSafeInteger(value) ? text : value;
  if (typeof id !== 'string' || !isTenantId(id)) throw invalid(pointer, 'must be a tenant id');
  return id;
}

function invalid(pointer: string, detail: string): PosthornError {
  return new PosthornError('POSTHORN_EVENT_INVALID', { fields: [{ pointer, detail }] });
}
