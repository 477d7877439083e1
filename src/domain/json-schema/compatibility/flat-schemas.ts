/** Facts about a conjunction of schemas that apply to one place of the data. */
import type { SchemaChild, SchemaNode } from '../schema-graph.ts';
import { plainKeywords } from '../keywords.ts';
import { equalToOneOf } from '../keywords/equal-values.ts';

/** Kinds of JSON values; numbers are divided into integers and others. */
export const kinds = [
  'null',
  'boolean',
  'object',
  'array',
  'string',
  'integer',
  'fraction',
] as const;
export type Kind = (typeof kinds)[number];

/** Schemas that data must all match. They include those of references and `allOf`. */
export type Conjunction = readonly SchemaNode[];

/** Follows references and `allOf` of a schema. Schemas that accept everything are left out. */
export function flatten(node: SchemaNode): SchemaNode[] {
  if (node.schema === true) return [];
  // A mere reference is its target, so that recursive schemas are found to be compared already.
  const flat = isOnlyReferences(node) ? [] : [node];
  for (const { target } of node.references) flat.push(...flatten(target));
  for (const child of node.children)
    if (child.keyword === 'allOf') flat.push(...flatten(child.node));
  return flat;
}

function isOnlyReferences({ schema, children }: SchemaNode): boolean {
  if (schema === false) return false;
  const hasOwn = plainKeywords.some((keyword) => Object.hasOwn(schema as object, keyword));
  return (
    !hasOwn &&
    children.every(({ keyword, applies }) => keyword === 'allOf' || applies === 'nowhere')
  );
}

/** The value of a keyword; undefined if the schema does not have it. */
export function keywordOf(node: SchemaNode, keyword: string): unknown {
  const { schema } = node;
  return typeof schema !== 'boolean' && Object.hasOwn(schema, keyword)
    ? schema[keyword]
    : undefined;
}

/** The numbers that the schemas have for a keyword. */
export function numbersOf(nodes: Conjunction, keyword: string): number[] {
  return nodes.map((node) => keywordOf(node, keyword)).filter((value) => typeof value === 'number');
}

/** The subschemas of a keyword. */
export function childrenOf(node: SchemaNode, keyword: string): SchemaChild[] {
  return node.children.filter((child) => child.keyword === keyword);
}

/** The kinds of values that the schemas may accept. */
export function kindsOf(nodes: Conjunction): Set<Kind> {
  const left = new Set<Kind>(kinds);
  const keep = (allowed: ReadonlySet<Kind>): void => {
    for (const kind of left) if (!allowed.has(kind)) left.delete(kind);
  };
  for (const node of nodes) {
    if (node.schema === false) return new Set();
    const type = keywordOf(node, 'type');
    if (type !== undefined) keep(kindsOfType(type));
  }
  const values = valuesOf(nodes);
  if (values !== undefined) keep(new Set(values.map(kindOf)));
  return left;
}

/** The kinds of a value of `type`. */
export function kindsOfType(type: unknown): Set<Kind> {
  const named = (Array.isArray(type) ? type : [type]) as string[];
  return new Set(
    named.flatMap((name): Kind[] => (name === 'number' ? ['integer', 'fraction'] : [name as Kind])),
  );
}

export function kindOf(value: unknown): Kind {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'fraction';
  return typeof value as Kind;
}

/** All values that the schemas may accept, if `enum` or `const` lists them. */
export function valuesOf(nodes: Conjunction): unknown[] | undefined {
  let values: unknown[] | undefined;
  for (const node of nodes) {
    const listed = listedValues(node);
    if (listed === undefined) continue;
    const isListed = equalToOneOf(listed, () => undefined);
    values = values === undefined ? listed : values.filter(isListed);
  }
  return values;
}

/** The values of `enum` or `const`. */
export function listedValues(node: SchemaNode): unknown[] | undefined {
  const { schema } = node;
  if (typeof schema === 'boolean') return undefined;
  const list = Object.hasOwn(schema, 'enum') ? (schema['enum'] as unknown[]) : undefined;
  if (!Object.hasOwn(schema, 'const')) return list;
  const { const: only } = schema;
  return list === undefined ? [only] : list.filter(equalToOneOf([only], () => undefined));
}

/**
 * Whether `unevaluated…` means the same as `additionalProperties` or `items`, because no other
 * subschema of the same place evaluates anything.
 */
function isSimple(node: SchemaNode): boolean {
  const { references, children } = node;
  const isAlone = children.every(
    ({ keyword, applies }) => applies !== 'here' && keyword !== 'contains',
  );
  return isAlone && references.length === 0;
}

/** Keyword that applies to properties without a schema of their own; undefined: none is known. */
export function restKeyword(node: SchemaNode, of: 'Properties' | 'Items'): string | undefined {
  const simple = of === 'Properties' ? 'additionalProperties' : 'items';
  if (keywordOf(node, simple) !== undefined) return simple;
  const unevaluated = `unevaluated${of}`;
  return keywordOf(node, unevaluated) !== undefined && isSimple(node) ? unevaluated : undefined;
}

/** The names that the schemas have properties for. */
export function propertyNames(nodes: Conjunction): Set<string> {
  const names = new Set<string>();
  for (const node of nodes) {
    for (const { key } of childrenOf(node, 'properties')) names.add(String(key));
  }
  return names;
}

/** Whether a pattern of `patternProperties` matches a name. */
export type MatchesName = (pattern: string, name: string) => boolean;

/** The schemas of one property. */
export function schemasOfProperty(
  nodes: Conjunction,
  name: string,
  matches: MatchesName,
): SchemaNode[] {
  return nodes.flatMap((node) => {
    const own = [
      ...childrenOf(node, 'properties').filter(({ key }) => key === name),
      ...childrenOf(node, 'patternProperties').filter(({ key }) => matches(String(key), name)),
    ];
    return (own.length > 0 ? own : restOf(node, 'Properties')).flatMap((one) => flatten(one.node));
  });
}

/** The schemas of properties that no schema names. */
export function schemasOfOthers(nodes: Conjunction, of: 'Properties' | 'Items'): SchemaNode[] {
  return nodes.flatMap((node) => restOf(node, of).flatMap((child) => flatten(child.node)));
}

/** The schemas of one item of a list. */
export function schemasOfItem(nodes: Conjunction, index: number): SchemaNode[] {
  return nodes.flatMap((node) => {
    const own = childrenOf(node, 'prefixItems').filter(({ key }) => key === index);
    return (own.length > 0 ? own : restOf(node, 'Items')).flatMap((one) => flatten(one.node));
  });
}

/** The number of items with a schema of their own. */
export function prefixLength(nodes: Conjunction): number {
  return Math.max(0, ...nodes.map((node) => childrenOf(node, 'prefixItems').length));
}

function restOf(node: SchemaNode, of: 'Properties' | 'Items'): SchemaChild[] {
  const keyword = restKeyword(node, of);
  return keyword === undefined ? [] : childrenOf(node, keyword);
}
