/**
 * Moves JSON Schemas into and out of documents that hold many: references by JSON pointer are
 * rewritten. Parts with an `$id` keep theirs, because their references are relative to it.
 */
import { schemaKeywords, schemaListKeywords, schemaMapKeywords } from '../json-schema/keywords.ts';

export type Json = Record<string, unknown>;

/** Returns the schema with each `$ref` replaced by what `rewrite` returns. */
export function rewriteReferences(schema: unknown, rewrite: (ref: string) => string): unknown {
  if (!isObject(schema) || Object.hasOwn(schema, '$id')) return schema;
  const out: Json = { ...schema };
  const inside = (part: unknown): unknown => rewriteReferences(part, rewrite);
  if (typeof out['$ref'] === 'string') out['$ref'] = rewrite(out['$ref']);
  for (const [keyword] of schemaKeywords) {
    if (Object.hasOwn(out, keyword)) out[keyword] = inside(out[keyword]);
  }
  for (const [keyword] of schemaListKeywords) {
    const list = Object.hasOwn(out, keyword) ? out[keyword] : undefined;
    if (Array.isArray(list)) out[keyword] = list.map(inside);
  }
  for (const [keyword] of schemaMapKeywords) {
    const map = Object.hasOwn(out, keyword) ? out[keyword] : undefined;
    if (!isObject(map)) continue;
    out[keyword] = Object.fromEntries(
      Object.entries(map).map(([key, part]) => [key, inside(part)]),
    );
  }
  return out;
}

/** Returns a schema as part of a document, at the JSON pointer `at` (`#/components/schemas/a`). */
export function embedSchema(schema: Json, at: string): Json {
  if (Object.hasOwn(schema, '$id')) return schema;
  const embedded = rewriteReferences(schema, (ref) =>
    ref === '#' || ref.startsWith('#/') ? at + ref.slice(1) : ref,
  ) as Json;
  // The document names the dialect.
  const { $schema: _dialect, ...rest } = embedded;
  return rest;
}

/**
 * Takes a schema out of a document, with the parts that it refers to in its `$defs`. A schema that
 * is only a reference becomes its target.
 */
export function extractSchema(document: Json, schema: unknown, pointer: string): unknown {
  const [root, at] = follow(document, schema, pointer);
  const names = new Map<string, string>();
  const pending: string[] = [];
  const rewrite = (ref: string): string => {
    if (ref === at || ref.startsWith(`${at}/`)) return `#${ref.slice(at.length)}`;
    const base = ref.startsWith('#/') ? baseOf(document, ref) : undefined;
    if (base === undefined) return ref;
    if (!names.has(base)) {
      names.set(base, freeName(base, names));
      pending.push(base);
    }
    return `#/$defs/${escape(names.get(base) as string)}${ref.slice(base.length)}`;
  };
  const moved = rewriteReferences(root, rewrite);
  const defs: Json = {};
  for (const base of pending) {
    defs[names.get(base) as string] = rewriteReferences(resolve(document, base), rewrite);
  }
  if (!isObject(moved) || pending.length === 0) return moved;
  return { ...moved, $defs: { ...(moved['$defs'] as Json | undefined), ...defs } };
}

/** The value at a pointer (`#/a/b`); undefined: there is none. */
export function resolve(document: Json, ref: string): unknown {
  if (!ref.startsWith('#/')) return ref === '#' ? document : undefined;
  let value: unknown = document;
  for (const key of ref.slice(2).split('/').map(unescape)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Json)[key];
  }
  return value;
}

const FOLLOWED_MAX = 20;

/** Follows an object that is only a reference. @returns the target and its pointer */
export function follow(document: Json, value: unknown, pointer: string): [unknown, string] {
  let [target, at] = [value, pointer];
  for (let n = 0; n < FOLLOWED_MAX; n++) {
    const isReference = isObject(target) && Object.keys(target).length === 1;
    const ref = isReference ? (target as Json)['$ref'] : undefined;
    if (typeof ref !== 'string' || !ref.startsWith('#/')) break;
    [target, at] = [resolve(document, ref), ref];
  }
  return [target, at];
}

/** Escapes a key for a JSON pointer in a URI fragment. */
export function escape(key: string): string {
  return encodeURIComponent(key).replaceAll('~', '~0').replaceAll('%2F', '~1');
}

function unescape(key: string): string {
  try {
    return decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return key;
  }
}

/** The definition that a reference leads into: it is moved as a whole. */
function baseOf(document: Json, ref: string): string | undefined {
  const keys = ref.slice(2).split('/');
  const depth =
    keys[0] === 'components'
      ? 3
      : keys[0] === '$defs' || keys[0] === 'definitions'
        ? 2
        : keys.length;
  const base = `#/${keys.slice(0, depth).join('/')}`;
  return resolve(document, base) === undefined ? undefined : base;
}

function freeName(base: string, taken: ReadonlyMap<string, string>): string {
  const last = unescape(base.slice(base.lastIndexOf('/') + 1));
  const names = new Set(taken.values());
  let name = last;
  for (let n = 2; names.has(name); n++) name = `${last}_${n}`;
  return name;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
