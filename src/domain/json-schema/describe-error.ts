import type { ErrorObject } from 'ajv';
import type { FieldError } from '#domain/errors.ts';
import { requiredField, unknownField } from '#domain/field-faults.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';

const SHOWN_LENGTH_MAX = 200;

/**
 * Describes the validator's errors in our words: each points at the invalid field, or at the
 * missing or unexpected one.
 *
 * @param prefix pointer to the validated value
 */
export function describeErrors(errors: readonly ErrorObject[], prefix: string): FieldError[] {
  const fields: FieldError[] = [];
  const seen = new Set<string>();
  for (const error of errors) {
    // The errors of the branch that `if` selected are in the list themselves.
    if (error.keyword === 'if' && errors.length > 1) continue;
    const field = describeError(error, prefix);
    const key = `${field.pointer}\n${field.detail}`;
    if (seen.has(key)) continue;
    seen.add(key);
    fields.push(field);
    if (fields.length === limits.fieldErrorsMax) break;
  }
  return fields;
}

function describeError(error: ErrorObject, prefix: string): FieldError {
  const pointer = prefix + error.instancePath;
  const params = error.params as Record<string, unknown>;
  const name = (param: string) => String(params[param]);
  switch (error.keyword) {
    case 'required':
      return requiredField(pointer, name('missingProperty'));
    case 'dependentRequired': {
      const missing = requiredField(pointer, name('missingProperty'));
      const detail = `${missing.detail} if there is ${JSON.stringify(params['property'])}`;
      return { ...missing, detail };
    }
    case 'additionalProperties':
      return unknownField(pointer, name('additionalProperty'));
    case 'unevaluatedProperties':
      return unknownField(pointer, name('unevaluatedProperty'));
    case 'propertyNames': {
      const detail = 'has a name that is not allowed';
      return { pointer: childPointer(pointer, name('propertyName')), detail };
    }
    case 'discriminator':
      return describeTag(error, pointer);
    default:
      return { pointer, detail: cut(describeValue(error)) };
  }
}

/** A union of objects that one of their members distinguishes (OpenAPI, Discriminator Object). */
function describeTag({ params, parentSchema = {} }: ErrorObject, pointer: string): FieldError {
  const { tag, tagValue } = params as { tag: string; tagValue?: unknown };
  if (tagValue === undefined) return requiredField(pointer, tag);
  const { oneOf = [] } = parentSchema as { oneOf?: { properties: Record<string, object> }[] };
  const allowed = oneOf.map(({ properties }) => (properties[tag] as { const?: unknown }).const);
  return { pointer: childPointer(pointer, tag), detail: `must be one of: ${allowed.join(', ')}` };
}

function describeValue({ keyword, params, message }: ErrorObject): string {
  const { limit, pattern, format, type, allowed } = params as Params;
  const describe = bounds[keyword];
  if (describe !== undefined) return describe(limit);
  switch (keyword) {
    case 'type':
      return `must be ${[type].flat().join(',').split(',').map(nameOfType).join(' or ')}`;
    case 'enum':
      return `must be one of: ${shownList(allowed ?? params['allowedValues'])}`;
    case 'const':
      return `must be ${JSON.stringify(allowed ?? params['allowedValue']) ?? 'null'}`;
    case 'pattern':
      return `must match the pattern ${pattern}`;
    case 'format':
      return formatRules[format ?? ''] ?? `must have the format ${format}`;
    case 'uniqueItems':
      return 'must not have two equal items';
    case 'false schema':
      return 'is not allowed';
    default:
      return (
        message?.replace('must NOT', 'must not').replace('be multiple', 'be a multiple') ??
        `does not meet ${keyword}`
      );
  }
}

interface Params extends Record<string, unknown> {
  limit?: number;
  pattern?: string;
  format?: string;
  type?: string | string[];
  /** In errors of our own keywords. */
  allowed?: unknown;
}

const bounds: Readonly<Partial<Record<string, (limit?: number) => string>>> = {
  minimum: (limit) => `must be at least ${limit}`,
  maximum: (limit) => `must be at most ${limit}`,
  exclusiveMinimum: (limit) => `must be more than ${limit}`,
  exclusiveMaximum: (limit) => `must be less than ${limit}`,
  minLength: (limit) => `must have at least ${counted(limit, 'character')}`,
  maxLength: (limit) => `must have at most ${counted(limit, 'character')}`,
  minItems: (limit) => `must have at least ${counted(limit, 'item')}`,
  maxItems: (limit) => `must have at most ${counted(limit, 'item')}`,
  minProperties: (limit) => `must have at least ${counted(limit, 'field')}`,
  maxProperties: (limit) => `must have at most ${counted(limit, 'field')}`,
};

const formatRules: Readonly<Partial<Record<string, string>>> = {
  'date-time': 'must be a time like 2026-01-31T12:00:00Z (RFC 3339)',
};

const typeNames: Readonly<Partial<Record<string, string>>> = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'an array',
};

function nameOfType(type: string): string {
  return typeNames[type] ?? type;
}

function counted(count: number | undefined, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** Strings as they are; other values as JSON. */
function shownList(values: unknown): string {
  return [values]
    .flat()
    .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
    .join(', ');
}

function cut(text: string): string {
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`;
}
