import type { TSchema } from 'typebox';
import { type AnswerHeader, answerFactsOf, nameOf } from '#wire/openapi/describe.ts';

/** A part of the document. */
export type Json = Record<string, unknown>;

const SCHEMA_LISTS = ['anyOf', 'oneOf', 'allOf', 'prefixItems'];
const SCHEMA_MAPS = ['properties', '$defs'];
const SCHEMAS = ['items', 'additionalProperties', 'propertyNames', 'contains', 'not'];
/**
 * The pattern that `Type.Record(Type.String(), …)` uses in place of JSON Schema's
 * `additionalProperties`.
 */
const ANY_NAME = '^.*$';

interface TaggedUnion {
  discriminator?: { propertyName: string };
  oneOf?: { properties: Record<string, { const?: string }> }[];
}

/** Collects the named schemas that the document refers to, each once. */
export class Components {
  private readonly byName = new Map<string, { schema: Json; text: string }>();

  /**
   * Returns the schema for the document: a reference if it has a name.
   *
   * @throws Error if two different schemas have one name
   */
  refer(schema: TSchema): Json {
    const name = nameOf(schema);
    if (name === undefined) return this.describe(schema);
    const described = this.describe(schema);
    const text = JSON.stringify(described);
    const known = this.byName.get(name);
    if (known === undefined) this.byName.set(name, { schema: described, text });
    else if (known.text !== text) throw new Error(`two different schemas are named ${name}`);
    return { $ref: `#/components/schemas/${name}` };
  }

  /** Returns `components.schemas`, by name. */
  schemas(): Json {
    const sorted = [...this.byName].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(sorted.map(([name, { schema }]) => [name, schema]));
  }

  private describe(schema: TSchema): Json {
    const described: Json = {};
    for (const [key, value] of Object.entries(schema)) described[key] = this.keyword(key, value);
    const properties = described['properties'] as Record<string, Json> | undefined;
    for (const property of Object.values(properties ?? {})) wordDefault(property);
    const record = described['patternProperties'] as Json | undefined;
    if (record?.[ANY_NAME] !== undefined) {
      described['additionalProperties'] = record[ANY_NAME];
      delete described['patternProperties'];
    }
    addMapping(described, schema);
    const values = described['enum'];
    // Generators need the type; a validator derives it from the values.
    if (Array.isArray(values) && values.every((value) => typeof value === 'string')) {
      return { type: 'string', ...described };
    }
    return described;
  }

  private keyword(key: string, value: unknown): unknown {
    if (SCHEMA_LISTS.includes(key)) return (value as TSchema[]).map((each) => this.refer(each));
    if (SCHEMA_MAPS.includes(key) || key === 'patternProperties') {
      const members = Object.entries(value as Record<string, TSchema>);
      return Object.fromEntries(members.map(([name, each]) => [name, this.refer(each)]));
    }
    if (SCHEMAS.includes(key) && typeof value === 'object') return this.refer(value as TSchema);
    return value;
  }
}

/**
 * States the default of a property in words. Generators read the keyword `default` as a guarantee
 * that the property is present, and would require it from callers.
 */
function wordDefault(property: Json): void {
  const { default: value, description = '' } = property;
  if (value === undefined) return;
  delete property['default'];
  property['description'] =
    `${description as string} Default: \`${JSON.stringify(value)}\`.`.trim();
}

/**
 * Names the schema of each value of a discriminator. The validator derives it from the constants,
 * and accepts no `mapping`.
 */
function addMapping(described: Json, { discriminator, oneOf }: TaggedUnion): void {
  if (discriminator === undefined) return;
  const { propertyName: tag } = discriminator;
  const refs = described['oneOf'] as { $ref: string }[];
  const mapping = oneOf?.map(({ properties }, i) => [properties[tag]?.const, refs[i]?.$ref]);
  described['discriminator'] = { ...discriminator, mapping: Object.fromEntries(mapping ?? []) };
}

/** Returns the facts of an answer: those given to `answer`, or the description of its schema. */
export function factsOf(schema: TSchema): {
  description: string;
  headers: readonly AnswerHeader[];
  mediaType: string;
} {
  const facts = answerFactsOf(schema);
  const { description } = schema as { description?: string };
  return {
    description: facts?.description ?? description ?? 'Done.',
    headers: facts?.headers ?? [],
    mediaType: facts?.mediaType ?? 'application/json',
  };
}
