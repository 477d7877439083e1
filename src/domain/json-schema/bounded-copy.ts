import { plainKeywords } from './keywords.ts';
import type { JsonObject, SchemaChild, SchemaGraph, SchemaNode } from './schema-graph.ts';

/** Takes its value from the work budget each time its schema is applied. */
export const STEPS_KEYWORD = 'x-steps';
/** The same, times the number of members of the object. */
export const MEMBER_STEPS_KEYWORD = 'x-member-steps';
/** The same, times the length of the text. */
export const TEXT_STEPS_KEYWORD = 'x-text-steps';

/** Keywords whose work grows with the number of members, each. */
const MEMBER_KEYWORDS = [
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
  'maxProperties',
  'minProperties',
];
/** Keywords whose work grows with the length of a text, each. */
const TEXT_KEYWORDS = ['maxLength', 'minLength', 'format', 'pattern'];

/**
 * A schema that says the same, for the validator: only the keywords that it knows, as it takes some
 * annotations for its own; what is referenced stands in `$defs` under a number, so that nothing depends on
 * its reading of ids, anchors and pointers; and in it stands what each part costs. A part that may be
 * applied often (to each item or member, or by reference) has a `STEPS_KEYWORD` with the size of what is
 * applied with it, so the sum of all steps is in proportion to the work.
 */
export function boundedCopy(graph: SchemaGraph): JsonObject {
  const targets = new Map<SchemaNode, number>();
  for (const node of graph.nodes) {
    for (const { target } of node.references) {
      if (!targets.has(target)) targets.set(target, targets.size);
    }
  }
  const copier = new Copier(targets);
  const root = copier.place(graph.root, 'each').schema;
  const $defs = Object.fromEntries(
    [...targets].map(([node, number]) => [String(number), copier.counted(node)]),
  );
  return { ...(root as JsonObject), $defs };
}

interface Copy {
  schema: JsonObject | boolean;
  /** The size of what is applied whenever the schema around it is. */
  size: number;
}

class Copier {
  private readonly targets: ReadonlyMap<SchemaNode, number>;

  constructor(targets: ReadonlyMap<SchemaNode, number>) {
    this.targets = targets;
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
    for (const child of node.children) {
      if (child.applies === 'nowhere') continue;
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

/** How much work a keyword is: its values are looked at one by one, except where one is looked up. */
function sizeOf(keyword: string, value: unknown): number {
  return keyword === 'enum' || keyword === 'const' ? 1 : countValues(value);
}

function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, part) => sum + countValues(part), 1);
}
