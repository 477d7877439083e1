import assert from 'node:assert/strict';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';
import { documentFormats, readDocument } from '#domain/schema-documents/read-document.ts';
import { toTypeScript } from '#domain/schema-documents/to-typescript.ts';
import { writeDocument, type WrittenType } from '#domain/schema-documents/write-document.ts';

const TREE = {
  type: 'object',
  required: ['id'],
  properties: {
    id: { $ref: '#/$defs/id' },
    children: { type: 'array', items: { $ref: '#' } },
    kind: { enum: ['leaf', 'node', null] },
  },
  $defs: { id: { type: 'string', minLength: 1 } },
};

const TYPES: WrittenType[] = [
  {
    name: 'tree.grown',
    description: 'A tree has grown.',
    schema: TREE,
    samples: [{ id: 'a', children: [] }],
    deprecated: true,
  },
  {
    name: 'a/b ~1 %é',
    description: null,
    schema: { type: 'integer' },
    samples: [],
    deprecated: false,
  },
  { name: 'any', description: null, schema: null, samples: [], deprecated: false },
];

for (const format of documentFormats) {
  test(`the types that are written as ${format} are read as they were`, () => {
    const written = JSON.parse(JSON.stringify(writeDocument(format, TYPES))) as Record<
      string,
      unknown
    >;
    const read = readDocument(format, written);
    assert.deepEqual(
      read.map(({ name }) => name),
      TYPES.map(({ name }) => name),
    );
    read.forEach((type, index) => {
      const { description, schema, samples, deprecated } = TYPES[index] as WrittenType;
      assert.equal(type.description ?? null, description);
      assert.equal(type.deprecated, deprecated);
      assert.deepEqual(type.samples, samples);
      const {
        description: _,
        examples: __,
        deprecated: ___,
        ...rest
      } = (type.schema ?? {}) as Record<string, unknown>;
      assert.deepEqual(rest, schema ?? {});
    });
  });
}

test('schemas are taken out of a document with the parts that they refer to', () => {
  const [type] = readDocument('openapi', {
    openapi: '3.1.0',
    webhooks: {
      'order.created': {
        post: {
          summary: 'An order.',
          requestBody: { $ref: '#/components/requestBodies/order' },
        },
      },
    },
    components: {
      requestBodies: {
        order: {
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } },
        },
      },
      schemas: {
        Order: {
          type: 'object',
          properties: {
            lines: { items: { $ref: '#/components/schemas/Line' } },
            parent: { $ref: '#/components/schemas/Order' },
          },
        },
        Line: {
          properties: {
            price: { $ref: '#/components/schemas/Price' },
            next: { $ref: '#/components/schemas/Line/properties/price' },
          },
        },
        Price: { type: 'number' },
        Unused: { type: 'string' },
      },
    },
  });
  assert.equal(type?.name, 'order.created');
  assert.equal(type.description, 'An order.');
  assert.deepEqual(type.schema, {
    type: 'object',
    properties: { lines: { items: { $ref: '#/$defs/Line' } }, parent: { $ref: '#' } },
    $defs: {
      Line: {
        properties: {
          price: { $ref: '#/$defs/Price' },
          next: { $ref: '#/$defs/Line/properties/price' },
        },
      },
      Price: { type: 'number' },
    },
  });
  assert.deepEqual(validateSchema(type.schema), []);
});

test('the envelope of Standard Webhooks is left out', () => {
  const message = {
    name: 'order.created',
    payload: {
      type: 'object',
      properties: { type: {}, timestamp: {}, data: { type: 'object' } },
    },
    examples: [{ payload: { type: 'order.created', timestamp: '', data: { a: 1 } } }],
  };
  const [type] = readDocument('asyncapi', {
    asyncapi: '3.0.0',
    components: { messages: { Order: message } },
  });
  assert.equal(type?.name, 'order.created');
  assert.deepEqual(type.schema, { type: 'object' });
  assert.deepEqual(type.samples, [{ a: 1 }]);
});

for (const [name, format, document, pointer] of [
  ['OpenAPI 3.0', 'openapi', { openapi: '3.0.3', webhooks: {} }, '/document/openapi'],
  ['AsyncAPI 2', 'asyncapi', { asyncapi: '2.6.0' }, '/document/asyncapi'],
  ['no webhooks', 'openapi', { openapi: '3.1.0', paths: {} }, '/document'],
  [
    'a webhook without post',
    'openapi',
    { openapi: '3.1.1', webhooks: { a: { get: {} } } },
    '/document/webhooks/a',
  ],
  [
    'a reference to no message',
    'asyncapi',
    { asyncapi: '3.0.0', channels: { c: { messages: { m: { $ref: '#/nowhere' } } } } },
    '/document/channels/c/messages/m',
  ],
  [
    'a type twice',
    'asyncapi',
    { asyncapi: '3.0.0', components: { messages: { a: { name: 'x' }, b: { name: 'x' } } } },
    '/document/components/messages/b',
  ],
  ['no definitions', 'json_schema', { type: 'object' }, '/document'],
] as const) {
  test(`rejects a document with ${name} with its pointer`, () => {
    assert.throws(
      () => readDocument(format, document),
      (error: { fields?: { pointer: string }[] }) => {
        assert.equal(error.fields?.[0]?.pointer.replace('#', ''), pointer);
        return true;
      },
    );
  });
}

test('references that lead in a circle or nowhere end', () => {
  const schema = { $ref: '#/components/schemas/A' };
  const [type] = readDocument('asyncapi', {
    asyncapi: '3.0.0',
    components: {
      messages: { a: { payload: schema } },
      schemas: { A: { $ref: '#/components/schemas/B' }, B: { $ref: '#/components/schemas/A' } },
    },
  });
  assert.notDeepEqual(validateSchema(type?.schema), []);
});

test('TypeScript has a type for each schema, and compiles', () => {
  const text = toTypeScript(TYPES);
  stripTypeScriptTypes(text);
  assert.ok(
    text.includes(
      'export type TreeGrown = { "id": Id; "children"?: TreeGrown[]; "kind"?: "leaf" | "node" | null; [name: string]: unknown; };',
    ),
    text,
  );
  assert.ok(text.includes('export type Id = string;'));
  assert.ok(text.includes('  /** @deprecated */\n  "tree.grown": TreeGrown;'));
  assert.ok(text.includes('  "any": unknown;'));
});

test('TypeScript describes unions, intersections, tuples and records', () => {
  const typeOf = (schema: Record<string, unknown>): string => {
    const text = toTypeScript([
      { name: 'x', description: 'ends */ here', schema, samples: [], deprecated: false },
    ]);
    stripTypeScriptTypes(text);
    return /export type X = (.*);/.exec(text)?.[1] ?? '';
  };
  assert.equal(typeOf({ type: ['string', 'null'] }), 'string | null');
  assert.equal(
    typeOf({
      oneOf: [{ type: 'string' }, { type: 'array', items: { type: ['integer', 'null'] } }],
    }),
    'string | (number | null)[]',
  );
  assert.equal(
    typeOf({
      allOf: [
        { required: ['a'], properties: { a: { const: 1 } }, additionalProperties: false },
        { anyOf: [{ const: {} }, { const: [1] }] },
      ],
    }),
    '{ "a": 1; } & (Record<string, never> | [1])',
  );
  assert.equal(
    typeOf({ type: 'object', additionalProperties: { type: 'boolean' } }),
    '{ [name: string]: boolean; }',
  );
  assert.equal(
    typeOf({ type: 'array', prefixItems: [{ type: 'string' }], items: false }),
    '[string?]',
  );
  assert.equal(typeOf({ not: {} }), 'unknown');
});
