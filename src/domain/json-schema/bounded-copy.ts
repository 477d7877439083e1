import { plainKeywords } from './keywords.ts';
import type { SchemaChild, SchemaGraph, SchemaNode } from './schema-graph.ts';
import type { JsonObject } from './schema-tree.ts';
import { hasUnevaluated, isUnevaluated, needsVerdict } from './keywords/unevaluated.ts';

/** Uses its value of the work budget each time its schema is applied. */
export const STEPS_KEYWORD = 'x-steps';
/** The same, times the number of members of the object. */
export const MEMBER_STEPS_KEYWORD = 'x-member-steps';
/** The same, times the length of the text. */
export const TEXT_STEPS_KEYWORD = 'x-text-steps';
/** Replaces the `unevaluated…` keywords: index of their node in `BoundedSchema.unevaluated`. */
export const UNEVALUATED_KEYWORD = 'x-unevaluated';

/** Keywords whose work grows with the number of members, each. */
const MEMBER_KEYWORDS = ['additionalProperties', 'propertyNames', 'maxProperties', 'minProperties'];
/** Keywords whose work grows with the length of a text, each. */
const TEXT_KEYWORDS = ['maxLength', 'minLength', 'format', 'pattern'];

/** A schema for the validator, with the positions of its parts. */
export interface BoundedSchema {
  schema: JsonObject;
  /** Number in `#/$defs/<number>` of each node that is referenced or needs a verdict. */
  numbers: ReadonlyMap<SchemaNode, number>;
  /** Nodes with `unevaluatedItems` or `unevaluatedProperties`. */
  unevaluated: readonly SchemaNode[];
  /** Nodes with a verdict that these need. */
  verdicts: readonly SchemaNode[];
}

/**
 * Copies a schema for the validator. The copy contains only keywords of the standard, as the
 * validator gives its own meaning to some annotations. Each referenced subschema gets a number in
 * `$defs`, so that the validator's handling of ids, anchors and pointers does not matter.
 *
 * Each part that may be applied often (to each item or member, or by reference) has a
 * `STEPS_KEYWORD`. Its value is the size of everything applied with it, so that the sum of all
 * steps is in proportion to the work.
 */
export function boundedCopy(graph: SchemaGraph): BoundedSchema {
  const numbers = new Map<SchemaNode, number>();
  const number = (node: SchemaNode): void => {
    if (!numbers.has(node)) numbers.set(node, numbers.size);
  };
  const unevaluated = graph.nodes.filter(hasUnevaluated);
  const verdicts =
    unevaluated.length === 0
      ? []
      : graph.nodes.flatMap(({ children }) =>
          children.filter(needsVerdict).map(({ node }) => node),
        );
  for (const node of graph.nodes) {
    for (const { target } of node.references) number(target);
  }
  for (const node of verdicts) number(node);
  const copier = new Copier(numbers, new Map(unevaluated.map((node, at) => [node, at])));
  const root = copier.place(graph.root, 'each').schema;
  const $defs = Object.fromEntries(
    [...numbers].map(([node, at]) => [String(at), copier.counted(node)]),
  );
  return { schema: { ...(root as JsonObject), $defs }, numbers, unevaluated, verdicts };
}

interface Copy {
  schema: JsonObject | boolean;
  /** The size of the schemas applied together with the enclosing one. */
  size: number;
}

class Copier {
  private readonly targets: ReadonlyMap<SchemaNode, number>;
  private readonly unevaluated: ReadonlyMap<SchemaNode, number>;

  constructor(
    targets: ReadonlyMap<SchemaNode, number>,
    unevaluated: ReadonlyMap<SchemaNode, number>,
  ) {
    this.targets = targets;
    this.unevaluated = unevaluated;
  }

  place(node: SchemaNode, applies: SchemaChild['applies']): Copy {
    if (this.targets.has(node)) return { schema: this.referenceTo(node), size: 1 };
    return applies === 'each' ? { schema: this.counted(node), size: 1 } : this.body(node);
  }

  counted(node: SchemaNode): JsonObject | boolean {
    const { schema, size } = this.body(node);
    if (typeof schema === 'boolean' || Object.keys(schema).length === 0) return schema;
    return { [STEPS_KEYWORD]: size, ...schema };
  }

  private body(node: SchemaNode): Copy {
    const { schema } = node;
    if (typeof schema === 'boolean') return { schema, size: 1 };
    const out: JsonObject = {};
    let size = 1;
    for (const keyword of plainKeywords) {
      if (!Object.hasOwn(schema, keyword)) continue;
      out[keyword] = schema[keyword];
      size += sizeOf(keyword, schema[keyword]);
    }
    addSteps(out, schema);
    const unevaluated = this.unevaluated.get(node);
    if (unevaluated !== undefined) out[UNEVALUATED_KEYWORD] = unevaluated;
    for (const child of node.children) {
      if (child.applies === 'nowhere' || isUnevaluated(child.keyword)) continue;
      const copy = this.place(child.node, child.applies);
      put(out, child, copy.schema);
      size += copy.size;
    }
    const references = node.references.map(({ target }) => this.referenceTo(target));
    if (references.length > 0) {
      ((out['allOf'] ??= []) as unknown[]).push(...references);
    }
    return { schema: out, size: size + references.length };
  }

  private referenceTo(node: SchemaNode): JsonObject {
    return { $ref: `#/$defs/${this.targets.get(node)}` };
  }
}

function put(out: JsonObject, child: SchemaChild, schema: JsonObject | boolean): void {
  const { keyword, key } = child;
  if (key === undefined) out[keyword] = schema;
  else if (typeof key === 'number') ((out[keyword] ??= []) as unknown[]).push(schema);
  else ((out[keyword] ??= {}) as JsonObject)[key] = schema;
}

function addSteps(out: JsonObject, schema: JsonObject): void {
  const has = (keyword: string) => Object.hasOwn(schema, keyword);
  const members =
    MEMBER_KEYWORDS.filter(has).length +
    (has('patternProperties') ? Object.keys(schema['patternProperties'] ?? {}).length : 0);
  if (members > 0) out[MEMBER_STEPS_KEYWORD] = members;
  const texts = TEXT_KEYWORDS.filter(has).length;
  if (texts > 0) out[TEXT_STEPS_KEYWORD] = texts;
}

/** The work of a keyword: one for each of its values, unless they are looked up. */
function sizeOf(keyword: string, value: unknown): number {
  return keyword === 'enum' || keyword === 'const' ? 1 : countValues(value);
}

function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, part) => sum + countValues(part), 1);
}
