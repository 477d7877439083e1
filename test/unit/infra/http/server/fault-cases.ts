/** A request body that a schema rejects, and the expected error. */
export interface FaultCase {
  keyword: string;
  schema: object;
  body: unknown;
  pointer: string;
  detail: string;
}

const text = (rule: object) => ({ type: 'string', ...rule });
const number = (rule: object) => ({ type: 'number', ...rule });
const list = (rule: object) => ({ type: 'array', ...rule });

function ofField(keyword: string, schema: object, value: unknown, detail: string): FaultCase {
  const body = { a: value };
  return {
    keyword,
    schema: { type: 'object', properties: { a: schema } },
    body,
    pointer: '/a',
    detail,
  };
}

const tagged = {
  type: 'object',
  discriminator: { propertyName: 'kind' },
  oneOf: ['cat', 'dog'].map((kind) => ({
    type: 'object',
    required: ['kind', 'name'],
    additionalProperties: false,
    properties: { kind: { const: kind }, name: { type: 'string' } },
  })),
};

/** Every keyword that validates requests, with the text of its error. */
export const faultCases: FaultCase[] = [
  {
    keyword: 'required',
    schema: { type: 'object', required: ['a/b'] },
    body: {},
    pointer: '/a~1b',
    detail: 'is required',
  },
  {
    keyword: 'additionalProperties',
    schema: { type: 'object', additionalProperties: false },
    body: { b: 1 },
    pointer: '/b',
    detail: 'unknown field',
  },
  {
    keyword: 'type',
    schema: { type: 'object' },
    body: [],
    pointer: '',
    detail: 'must be an object',
  },
  ofField('type', text({}), 1, 'must be a string'),
  ofField('type', { type: ['integer', 'null'] }, 'x', 'must be an integer or null'),
  ofField('type', { type: 'boolean' }, 1, 'must be true or false'),
  ofField('type', list({}), 1, 'must be an array'),
  ofField('anyOf', { anyOf: [text({}), { type: 'null' }] }, 1, 'must be a string'),
  ofField('enum', { enum: ['on', 'off'] }, 'x', 'must be one of: on, off'),
  ofField('const', { const: true }, 1, 'must be true'),
  ofField(
    'minLength',
    text({ minLength: 1, pattern: '^a+$' }),
    '',
    'must have at least 1 character',
  ),
  ofField(
    'maxLength',
    text({ maxLength: 3, pattern: '^a{1,3}$' }),
    'bbbb',
    'must have at most 3 characters',
  ),
  ofField('pattern', text({ pattern: '^a+$' }), 'b', 'must match the pattern ^a+$'),
  ofField(
    'format',
    text({ format: 'date-time' }),
    'x',
    'must be a time like 2026-01-31T12:00:00Z (RFC 3339)',
  ),
  ofField('minimum', number({ minimum: 1 }), 0, 'must be at least 1'),
  ofField('maximum', number({ maximum: 1 }), 2, 'must be at most 1'),
  ofField('exclusiveMinimum', number({ exclusiveMinimum: 1 }), 1, 'must be more than 1'),
  ofField('exclusiveMaximum', number({ exclusiveMaximum: 1 }), 1, 'must be less than 1'),
  ofField('multipleOf', number({ multipleOf: 2 }), 3, 'must be a multiple of 2'),
  ofField('minItems', list({ minItems: 2 }), [1], 'must have at least 2 items'),
  ofField('maxItems', list({ maxItems: 1 }), [1, 2], 'must have at most 1 item'),
  ofField('uniqueItems', list({ uniqueItems: true }), [1, 2, 1], 'must not have two equal items'),
  ofField('minProperties', { type: 'object', minProperties: 1 }, {}, 'must have at least 1 field'),
  ofField(
    'maxProperties',
    { type: 'object', maxProperties: 1 },
    { b: 1, c: 1 },
    'must have at most 1 field',
  ),
  { ...ofField('discriminator', tagged, {}, 'is required'), pointer: '/a/kind' },
  {
    ...ofField('discriminator', tagged, { kind: 'cow' }, 'must be one of: cat, dog'),
    pointer: '/a/kind',
  },
  { ...ofField('oneOf', tagged, { kind: 'cat' }, 'is required'), pointer: '/a/name' },
];
