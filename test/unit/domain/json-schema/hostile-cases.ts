/**
 * Schemas and data that are made to take long, with the right answer to each. The test checks the
 * answers; `bench/schema-cost.ts` measures the time with and without our accounting.
 */

type Json = Record<string, unknown>;

export const tooLarge = [
  { pointer: '/data', detail: 'is too large to be checked against the schema of its type' },
];
const nest = (levels: number, each: (inner: unknown) => unknown) => {
  let value: unknown = {};
  for (let i = 0; i < levels; i++) value = each(value);
  return value;
};
export const list = <T>(length: number, each: (i: number) => T) =>
  Array.from({ length }, (_, i) => each(i));

export const hostile: [name: string, schema: Json, data: () => unknown, errors: unknown[]][] = [
  [
    'a schema that doubles at each level of the data',
    { allOf: [{ properties: { x: { $ref: '#' } } }, { properties: { x: { $ref: '#' } } }] },
    () => nest(60, (x) => ({ x })),
    tooLarge,
  ],
  [
    'data nested without end',
    { items: { $ref: '#' } },
    () => nest(100_000, (item) => [item]),
    [{ pointer: '/data', detail: 'is nested too deep; 64 levels are allowed' }],
  ],
  [
    'a long enum for many items',
    { items: { enum: list(10_000, (i) => i) } },
    () => list(100_000, () => 9999),
    [],
  ],
  [
    'unevaluated keywords that each ask for the verdicts below them',
    nest(12, (inner) => ({
      anyOf: [{ properties: { a: true }, ...(inner as Json) }, { required: ['b'] }],
      unevaluatedProperties: { type: 'number' },
    })) as Json,
    () => Object.fromEntries(list(20_000, (i) => [`p${i}`, i])),
    tooLarge,
  ],
  [
    'patterns of many members alongside unevaluated ones',
    { patternProperties: { '^(a+)+$': true }, unevaluatedProperties: false },
    () => Object.fromEntries(list(50_000, (i) => [`a${i}`.padEnd(100, 'a'), i])),
    tooLarge,
  ],
  ['many unique items', { uniqueItems: true }, () => list(50_000, (i) => [i]), []],
  [
    'a pattern that makes a backtracking engine hang',
    { pattern: '^(a+)+$' },
    () => `${'a'.repeat(100_000)}!`,
    [{ pointer: '/data', detail: 'must match the pattern ^(a+)+$' }],
  ],
  [
    'a large pattern for a long text',
    { pattern: '[ab]{900}x' },
    () => 'a'.repeat(500_000),
    tooLarge,
  ],
  [
    'many checks of a long text',
    { allOf: list(400, (i) => ({ maxLength: 500_000 + i })) },
    () => 'a'.repeat(500_000),
    tooLarge,
  ],
  [
    'many checks of many members',
    {
      allOf: list(400, () => ({ patternProperties: { '^p': true }, additionalProperties: false })),
    },
    () => Object.fromEntries(list(20_000, (i) => [`p${i}`, 1])),
    tooLarge,
  ],
  [
    'a large definition that is referenced often',
    {
      properties: Object.fromEntries(list(800, (i) => [`p${i}`, { $ref: '#/$defs/large' }])),
      $defs: {
        large: { properties: Object.fromEntries(list(400, (i) => [`q${i}`, { minLength: i }])) },
      },
    },
    () => ({ p799: { q399: '' } }),
    [{ pointer: '/data/p799/q399', detail: 'must have at least 399 characters' }],
  ],
];
