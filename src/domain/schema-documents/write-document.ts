/** Writes event types as OpenAPI 3.1, AsyncAPI 3 and JSON Schema documents (CT-4). */
import type { DocumentFormat } from './read-document.ts';
import { embedSchema, escape, type Json } from './move-schema.ts';

export interface WrittenType {
  name: string;
  description: string | null;
  /** Null: any data. */
  schema: Json | null;
  samples: readonly unknown[];
  deprecated: boolean;
}

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const TITLE = 'Webhooks';

/** Returns a document that describes the types; `readDocument` reads the same types from it. */
export function writeDocument(format: DocumentFormat, types: readonly WrittenType[]): Json {
  return writers[format](types);
}

const writers: Record<DocumentFormat, (types: readonly WrittenType[]) => Json> = {
  openapi: (types) => ({
    openapi: '3.1.0',
    info: { title: TITLE, version: '1' },
    jsonSchemaDialect: DIALECT,
    webhooks: byName(types, (type) => ({
      post: {
        ...describe(type),
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: envelope(type, '#/components/schemas'),
              ...(type.samples.length === 0 ? {} : { examples: namedExamples(type) }),
            },
          },
        },
        responses: { '2XX': { description: 'The webhook is accepted.' } },
      },
    })),
    components: { schemas: schemasOf(types, '#/components/schemas') },
  }),
  asyncapi: (types) => ({
    asyncapi: '3.0.0',
    info: { title: TITLE, version: '1' },
    channels: {
      webhooks: {
        description: 'The URL of an endpoint.',
        messages: byKey(types, ({ name }) => ({ $ref: `#/components/messages/${keyOf(name)}` })),
      },
    },
    operations: { deliver: { action: 'send', channel: { $ref: '#/channels/webhooks' } } },
    components: {
      messages: byKey(types, (type) => ({
        name: type.name,
        contentType: 'application/json',
        ...describeMessage(type),
        payload: {
          schemaFormat: 'application/schema+json;version=draft-2020-12',
          schema: envelope(type, '#/components/schemas'),
        },
        ...(type.samples.length === 0
          ? {}
          : { examples: type.samples.map((data) => example(type, data)) }),
      })),
      schemas: schemasOf(types, '#/components/schemas'),
    },
  }),
  json_schema: (types) => ({
    $schema: DIALECT,
    $defs: Object.fromEntries(
      types.map((type) => {
        const schema =
          type.schema === null ? {} : embedSchema(type.schema, `#/$defs/${escape(type.name)}`);
        const notes = {
          ...describe(type),
          ...(type.samples.length === 0 ? {} : { examples: type.samples }),
        };
        return [type.name, { ...notes, ...schema }];
      }),
    ),
  }),
};

/** Keys of components: `^[a-zA-Z0-9._-]+$`. */
function keyOf(name: string): string {
  return name.replaceAll(
    /[^a-zA-Z0-9.-]/g,
    (character) => `_${character.codePointAt(0)?.toString(16)}_`,
  );
}

function byKey(types: readonly WrittenType[], of: (type: WrittenType) => Json): Json {
  return Object.fromEntries(types.map((type) => [keyOf(type.name), of(type)]));
}

function byName(types: readonly WrittenType[], of: (type: WrittenType) => Json): Json {
  return Object.fromEntries(types.map((type) => [type.name, of(type)]));
}

function schemasOf(types: readonly WrittenType[], at: string): Json {
  return Object.fromEntries(
    types.flatMap(({ name, schema }) =>
      schema === null ? [] : [[keyOf(name), embedSchema(schema, `${at}/${keyOf(name)}`)]],
    ),
  );
}

function describe({ description, deprecated }: WrittenType): Json {
  return {
    ...(description === null ? {} : { description }),
    ...(deprecated ? { deprecated } : {}),
  };
}

/** AsyncAPI has no `deprecated` for messages: an extension carries it. */
function describeMessage(type: WrittenType): Json {
  const { deprecated, ...notes } = describe(type);
  return deprecated === true ? { ...notes, 'x-deprecated': true } : notes;
}

/** The body of a webhook in the format `standard`. */
function envelope({ name, schema }: WrittenType, at: string): Json {
  return {
    type: 'object',
    required: ['type', 'timestamp', 'data'],
    properties: {
      type: { const: name },
      timestamp: { type: 'string', format: 'date-time' },
      data: schema === null ? {} : { $ref: `${at}/${keyOf(name)}` },
    },
  };
}

function example({ name }: WrittenType, data: unknown): Json {
  return { payload: { type: name, timestamp: '2026-01-31T12:00:00.000Z', data } };
}

function namedExamples(type: WrittenType): Json {
  return Object.fromEntries(
    type.samples.map((data, index) => [
      `sample_${index + 1}`,
      { value: example(type, data)['payload'] },
    ]),
  );
}
