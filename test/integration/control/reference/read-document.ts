export type Json = Record<string, unknown>;

export interface PlacedSchema {
  schema: Json;
  /** JSON pointer from the root of the document. */
  at: string;
}

const SCHEMA_LISTS = ['anyOf', 'oneOf', 'allOf'];
const SCHEMA_MAPS = ['properties', 'patternProperties'];
const SCHEMAS = ['items', 'additionalProperties', 'propertyNames', 'not'];

/** Every schema of the document, those within schemas too. */
export function* schemasOf(document: Json): Generator<PlacedSchema> {
  const { components, ...rest } = document as { components: Json };
  const { schemas, ...others } = components;
  for (const [name, schema] of Object.entries(schemas as Json)) {
    yield* within(schema as Json, `#/components/schemas/${name}`);
  }
  yield* outside({ ...rest, components: others }, '#');
}

function* outside(part: Json, at: string): Generator<PlacedSchema> {
  for (const [key, value] of Object.entries(part)) {
    const here = `${at}/${escaped(key)}`;
    if (key === 'example' || key === 'examples' || typeof value !== 'object') continue;
    if (key === 'schema') yield* within(value as Json, here);
    else if (value !== null) yield* outside(value as Json, here);
  }
}

function* within(schema: Json, at: string): Generator<PlacedSchema> {
  yield { schema, at };
  for (const key of SCHEMA_LISTS) {
    const list = (schema[key] ?? []) as Json[];
    for (const [index, each] of list.entries()) yield* within(each, `${at}/${key}/${index}`);
  }
  for (const key of SCHEMA_MAPS) {
    for (const [name, each] of Object.entries((schema[key] ?? {}) as Json)) {
      yield* within(each as Json, `${at}/${key}/${escaped(name)}`);
    }
  }
  for (const key of SCHEMAS) {
    const each = schema[key];
    if (typeof each === 'object') yield* within(each as Json, `${at}/${key}`);
  }
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Every part of the document that has a schema: bodies by media type, parameters and headers. */
export function* bodiesOf(part: Json, at = '#'): Generator<{ body: Json; at: string }> {
  if (typeof part['schema'] === 'object') {
    yield { body: part, at };
    return;
  }
  for (const [key, value] of Object.entries(part)) {
    if (at === '#/components' && key === 'schemas') continue;
    if (typeof value === 'object' && value !== null) {
      yield* bodiesOf(value as Json, `${at}/${escaped(key)}`);
    }
  }
}
