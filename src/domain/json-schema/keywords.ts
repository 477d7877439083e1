/**
 * The keywords of JSON Schema 2020-12 (https://json-schema.org/draft/2020-12/json-schema-core,
 * json-schema-validation) that constrain `data`. All others are annotations and are ignored.
 */

/** Where a subschema applies: at the same place of the data, one place below, or all below. */
export type Applies = 'here' | 'below' | 'each' | 'nowhere';

export type Place = readonly [keyword: string, applies: Applies];

/** Keywords whose value is a schema. */
export const schemaKeywords: readonly Place[] = [
  ['not', 'here'],
  ['if', 'here'],
  ['then', 'here'],
  ['else', 'here'],
  ['items', 'each'],
  ['contains', 'each'],
  ['propertyNames', 'each'],
  ['additionalProperties', 'each'],
  ['unevaluatedItems', 'each'],
  ['unevaluatedProperties', 'each'],
];

/** Keywords whose value is a list of schemas. */
export const schemaListKeywords: readonly Place[] = [
  ['allOf', 'here'],
  ['anyOf', 'here'],
  ['oneOf', 'here'],
  ['prefixItems', 'below'],
];

/**
 * Keywords whose value is an object of schemas by name. `definitions` is the old name of `$defs`.
 */
export const schemaMapKeywords: readonly Place[] = [
  ['properties', 'below'],
  ['patternProperties', 'each'],
  ['dependentSchemas', 'here'],
  ['$defs', 'nowhere'],
  ['definitions', 'nowhere'],
];

/** Keywords that hold no schema. */
export const plainKeywords: readonly string[] = [
  'type',
  'enum',
  'const',
  'multipleOf',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'format',
  'maxItems',
  'minItems',
  'uniqueItems',
  'maxContains',
  'minContains',
  'maxProperties',
  'minProperties',
  'required',
  'dependentRequired',
];

/** Rejected keywords, with the text that says what to use instead. */
export const refusedKeywords: Readonly<Record<string, string>> = {
  $async: 'is not JSON Schema',
  dependencies: 'is of an older draft; use dependentRequired or dependentSchemas',
  additionalItems: 'is of an older draft; use prefixItems and items',
  $recursiveRef: 'is of an older draft; use $dynamicRef',
  $recursiveAnchor: 'is of an older draft; use $dynamicAnchor',
};
