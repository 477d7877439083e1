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

/** One schema or subschema, and those that it leads to. */
export interface SchemaNode {
  /** Where it stands in the whole. */
  pointer: string;
  schema: JsonObject | boolean;
  children: SchemaChild[];
  /** What `$ref` and `$dynamicRef` name; they are resolved by `buildSchemaGraph`. */
  references: SchemaReference[];
}

export interface SchemaChild {
  keyword: string;
  /** The name or the position inside the keyword's value; absent where the value is the schema. */
  key?: string | number;
  applies: Applies;
  node: SchemaNode;
}

export interface SchemaReference {
  pointer: string;
  target: SchemaNode;
}

export interface SchemaGraph {
  root: SchemaNode;
  nodes: SchemaNode[];
  errors: FieldError[];
}

interface Building {
  nodes: SchemaNode[];
  byFragment: Map<string, SchemaNode>;
  errors: FieldError[];
}

/**
 * Finds every subschema of a schema and what its references name. References lead only to subschemas of
 * the same schema (`#`, `#/$defs/x`, `#anchor`): nothing is ever fetched. With one schema resource and so
 * one scope, `$dynamicRef` names what `$ref` would.
 *
 * @param schema of bounded depth (see `checkJsonBounds`)
 */
export function buildSchemaGraph(schema: JsonObject): SchemaGraph {
  const building: Building = { nodes: [], byFragment: new Map(), errors: [] };
  const root = addNode(building, schema, '');
  for (const node of building.nodes) resolveReferences(building, node);
  return { root, nodes: building.nodes, errors: building.errors };
}

function addNode(building: Building, schema: JsonObject | boolean, pointer: string): SchemaNode {
  const node: SchemaNode = { pointer, schema, children: [], references: [] };
  building.nodes.push(node);
  building.byFragment.set(pointer, node);
  if (typeof schema === 'boolean') return node;
  checkKeywords(building, schema, pointer);
  for (const [keyword, applies] of schemaKeywords) {
    addChild(building, node, { keyword, applies }, own(schema, keyword));
  }
  for (const [keyword, applies] of schemaListKeywords) {
    const list = own(schema, keyword);
    if (!Array.isArray(list)) continue;
    list.forEach((part, key) => addChild(building, node, { keyword, key, applies }, part));
  }
  for (const [keyword, applies] of schemaMapKeywords) {
    const map = own(schema, keyword);
    if (typeof map !== 'object' || map === null) continue;
    for (const [key, part] of Object.entries(map)) {
      addChild(building, node, { keyword, key, applies }, part);
    }
  }
  return node;
}

function addChild(
  building: Building,
  node: SchemaNode,
  place: Omit<SchemaChild, 'node'>,
  value: unknown,
): void {
  const isSchema = typeof value === 'boolean' || (typeof value === 'object' && value !== null);
  if (!isSchema) return;
  const at = childPointer(node.pointer, place.keyword);
  const pointer = place.key === undefined ? at : childPointer(at, place.key);
  node.children.push({ ...place, node: addNode(building, value as JsonObject | boolean, pointer) });
}

function own(schema: JsonObject, keyword: string): unknown {
  return Object.hasOwn(schema, keyword) ? schema[keyword] : undefined;
}

function checkKeywords(building: Building, schema: JsonObject, pointer: string): void {
  for (const [keyword, detail] of Object.entries(refusedKeywords)) {
    if (!Object.hasOwn(schema, keyword)) continue;
    building.errors.push({ pointer: childPointer(pointer, keyword), detail });
  }
  if (pointer !== '' && Object.hasOwn(schema, '$id')) {
    const detail = 'may stand only at the top: a schema is one document';
    building.errors.push({ pointer: childPointer(pointer, '$id'), detail });
  }
}

function resolveReferences(building: Building, node: SchemaNode): void {
  if (typeof node.schema === 'boolean') return;
  for (const keyword of ['$ref', '$dynamicRef']) {
    const reference = own(node.schema, keyword);
    if (typeof reference !== 'string') continue;
    const pointer = childPointer(node.pointer, keyword);
    const target = resolve(building, reference);
    if (target !== undefined) node.references.push({ pointer, target });
    else building.errors.push({ pointer, detail: refusal(reference) });
  }
}

function refusal(reference: string): string {
  return reference.startsWith('#')
    ? 'leads to no schema in this document'
    : 'must stay in this document, like "#/$defs/address": nothing is fetched';
}

function resolve(building: Building, reference: string): SchemaNode | undefined {
  if (!reference.startsWith('#')) return undefined;
  let fragment: string;
  try {
    fragment = decodeURIComponent(reference.slice(1));
  } catch {
    return undefined;
  }
  return fragment === '' || fragment.startsWith('/')
    ? building.byFragment.get(fragment)
    : building.nodes.find((node) => hasAnchor(node.schema, fragment));
}

function hasAnchor(schema: JsonObject | boolean, name: string): boolean {
  if (typeof schema === 'boolean') return false;
  return own(schema, '$anchor') === name || own(schema, '$dynamicAnchor') === name;
}
