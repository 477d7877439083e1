import type { ErrorObject } from 'ajv';
import type { FieldError } from '#domain/errors.ts';
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
  const member = (name: string) => childPointer(pointer, String(params[name]));
  switch (error.keyword) {
    case 'required':
      return { pointer: member('missingProperty'), detail: 'is required' };
    case 'dependentRequired':
      return {
        pointer: member('missingProperty'),
        detail: `is required where there is ${JSON.stringify(params['property'])}`,
      };
    case 'additionalProperties':
      return { pointer: member('additionalProperty'), detail: 'is not a field that is allowed' };
    case 'unevaluatedProperties':
      return { pointer: member('unevaluatedProperty'), detail: 'is not a field that is allowed' };
    case 'propertyNames':
      return { pointer: member('propertyName'), detail: 'has a name that is not allowed' };
    case 'false schema':
      return { pointer, detail: 'is not allowed' };
    case 'enum':
      return { pointer, detail: `must be one of ${shown(error, 'allowedValues')}` };
    case 'const':
      return { pointer, detail: `must be ${shown(error, 'allowedValue')}` };
    default:
      return { pointer, detail: cut(error.message ?? `does not meet ${error.keyword}`) };
  }
}

/** The allowed values: `allowed` in errors of our keywords, `name` in the validator's. */
function shown(error: ErrorObject, name: string): string {
  const params = error.params as Record<string, unknown>;
  return cut(JSON.stringify(params['allowed'] ?? params[name]) ?? 'null');
}

function cut(text: string): string {
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`;
}
