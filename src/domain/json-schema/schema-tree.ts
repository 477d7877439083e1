/**
 * The subschemas of one schema document, and the identifiers in it: `$id` starts a schema resource,
 * `$anchor` and `$dynamicAnchor` name a place in one (JSON Schema Core 2020-12, section 8.2).
 */
import type { FieldError } from '#domain/errors.ts';
import { childPointer } from '#domain/json-pointer.ts';
import {
  type Applies,
  refusedKeywords,
  schemaKeywords,
  schemaListKeywords,
  schemaMapKeywords,
} from './keywords.ts';

export type JsonObject = Record<string, unknown>;

/** One schema or subschema, as written. */
export interface SchemaPart {
  /** JSON pointer from the top of the document. */
  pointer: string;
  schema: JsonObject | boolean;
  resource: SchemaResource;
  children: SchemaPartChild[];
}

export interface SchemaPartChild {
  keyword: string;
  /** Name or position inside the keyword's value; absent if the value itself is the schema. */
  key?: string | number;
  applies: Applies;
  part: SchemaPart;
}

/** The document, or a subschema with an `$id`, without the resources embedded in it. */
export interface SchemaResource {
  /** Absolute URI without fragment. */
  uri: string;
  /** Pointer of its root from the top of the document. */
  pointer: string;
  anchors: Map<string, SchemaPart>;
  dynamicAnchors: Map<string, SchemaPart>;
}

/** The target of a reference. */
export interface ResolvedReference {
  part: SchemaPart;
  /** Set if the reference ends in the name of a `$dynamicAnchor`. */
  dynamicAnchor: string | undefined;
}

/**
 * Base of a document without `$id`. RFC 2606 reserves `.invalid`, so no `$id` equals it by chance.
 */
const DEFAULT_BASE = 'https://schema.invalid/';

export class SchemaTree {
  readonly root: SchemaPart;
  readonly errors: FieldError[] = [];
  readonly resources = new Map<string, SchemaResource>();
  /** Number of subschemas. */
  size = 0;
  private readonly byPointer = new Map<string, SchemaPart>();

  /** @param schema of bounded depth (see `isDeeperThan`) */
  constructor(schema: JsonObject) {
    const resource = this.addResource(DEFAULT_BASE, '');
    this.root = this.addPart(schema, '', resource);
    // A document with an `$id` uses it; references by the default base would be accidental.
    if (this.root.resource !== resource) this.resources.delete(DEFAULT_BASE);
  }

  /** @returns undefined if the reference leaves the document or leads to no schema in it */
  resolve(reference: string, from: SchemaPart): ResolvedReference | undefined {
    const uri = resolveUri(reference, from.resource.uri);
    const [base = '', encoded = ''] = uri?.split('#', 2) ?? [];
    const resource = this.resources.get(base);
    const fragment = decode(encoded);
    if (resource === undefined || fragment === undefined) return undefined;
    if (fragment === '' || fragment.startsWith('/')) {
      const part = this.byPointer.get(resource.pointer + fragment);
      return part === undefined ? undefined : { part, dynamicAnchor: undefined };
    }
    const dynamic = resource.dynamicAnchors.get(fragment);
    if (dynamic !== undefined) return { part: dynamic, dynamicAnchor: fragment };
    const part = resource.anchors.get(fragment);
    return part === undefined ? undefined : { part, dynamicAnchor: undefined };
  }

  private addPart(
    schema: JsonObject | boolean,
    pointer: string,
    parent: SchemaResource,
  ): SchemaPart {
    this.size++;
    const resource = this.resourceOf(schema, pointer, parent);
    const part: SchemaPart = { pointer, schema, resource, children: [] };
    this.byPointer.set(pointer, part);
    if (typeof schema === 'boolean') return part;
    this.refuseKeywords(schema, pointer);
    this.nameAnchor(part, '$anchor', resource.anchors);
    this.nameAnchor(part, '$dynamicAnchor', resource.dynamicAnchors);
    for (const [keyword, applies] of schemaKeywords) {
      this.addChild(part, { keyword, applies }, own(schema, keyword));
    }
    for (const [keyword, applies] of schemaListKeywords) {
      const list = own(schema, keyword);
      if (!Array.isArray(list)) continue;
      list.forEach((item, key) => this.addChild(part, { keyword, key, applies }, item));
    }
    for (const [keyword, applies] of schemaMapKeywords) {
      const map = own(schema, keyword);
      if (typeof map !== 'object' || map === null) continue;
      for (const [key, item] of Object.entries(map)) {
        this.addChild(part, { keyword, key, applies }, item);
      }
    }
    return part;
  }

  private addChild(parent: SchemaPart, place: Omit<SchemaPartChild, 'part'>, value: unknown): void {
    const isSchema = typeof value === 'boolean' || (typeof value === 'object' && value !== null);
    if (!isSchema) return;
    const at = childPointer(parent.pointer, place.keyword);
    const pointer = place.key === undefined ? at : childPointer(at, place.key);
    const schema = value as JsonObject | boolean;
    parent.children.push({ ...place, part: this.addPart(schema, pointer, parent.resource) });
  }

  private resourceOf(
    schema: JsonObject | boolean,
    pointer: string,
    parent: SchemaResource,
  ): SchemaResource {
    const id = typeof schema === 'boolean' ? undefined : own(schema, '$id');
    if (typeof id !== 'string') return parent;
    const at = childPointer(pointer, '$id');
    const uri = resolveUri(id.replace(/#$/, ''), parent.uri);
    if (uri === undefined) this.errors.push({ pointer: at, detail: 'must be a URI reference' });
    else if (this.resources.has(uri)) this.errors.push({ pointer: at, detail: 'duplicate $id' });
    else return this.addResource(uri, pointer);
    return parent;
  }

  private addResource(uri: string, pointer: string): SchemaResource {
    const resource = { uri, pointer, anchors: new Map(), dynamicAnchors: new Map() };
    this.resources.set(uri, resource);
    return resource;
  }

  private nameAnchor(part: SchemaPart, keyword: string, anchors: Map<string, SchemaPart>): void {
    const name = own(part.schema as JsonObject, keyword);
    if (typeof name !== 'string') return;
    const { anchors: plain, dynamicAnchors } = part.resource;
    if (plain.has(name) || dynamicAnchors.has(name)) {
      this.errors.push({
        pointer: childPointer(part.pointer, keyword),
        detail: `duplicate anchor "${name}"`,
      });
    } else {
      anchors.set(name, part);
    }
  }

  private refuseKeywords(schema: JsonObject, pointer: string): void {
    for (const [keyword, detail] of Object.entries(refusedKeywords)) {
      if (!Object.hasOwn(schema, keyword)) continue;
      this.errors.push({ pointer: childPointer(pointer, keyword), detail });
    }
  }
}

function own(schema: JsonObject, keyword: string): unknown {
  return Object.hasOwn(schema, keyword) ? schema[keyword] : undefined;
}

function resolveUri(reference: string, base: string): string | undefined {
  return URL.canParse(reference, base) ? new URL(reference, base).href : undefined;
}

function decode(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
}
