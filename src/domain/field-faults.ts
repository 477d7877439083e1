/**
 * The wording of faults that many parsers find, so that each fault has one text everywhere. The
 * text for a wrong value begins with `must`, and states the allowed values.
 */
import { type FieldError, PosthornError } from './errors.ts';
import { childPointer } from './json-pointer.ts';

export const IS_REQUIRED = 'is required';

/** A member or parameter that the API does not have. @param parent pointer to its object */
export function unknownField(parent: string, name: string): FieldError {
  return { pointer: childPointer(parent, name), detail: 'unknown field' };
}

/** A member or parameter that is missing. @param parent pointer to its object */
export function requiredField(parent: string, name: string): FieldError {
  return { pointer: childPointer(parent, name), detail: IS_REQUIRED };
}

/**
 * A name that an object, or a header field that a message, has twice. Readers disagree about which
 * of the two counts (RFC 8259, section 4).
 *
 * @param parent pointer to its object
 */
export function duplicateKey(parent: string, name: string): FieldError {
  return { pointer: childPointer(parent, name), detail: 'duplicate key' };
}

/** A name that code that copies objects confuses with the prototype of the object. */
export function reservedName(parent: string, name: string): FieldError {
  return { pointer: childPointer(parent, name), detail: 'is a reserved name' };
}

/**
 * @param resource the kind of the resource, for example `endpoint`
 * @param hint why it may be missing
 */
export function notFound(resource: string, id: string, hint?: string): PosthornError {
  const detail = `${resource} ${id} not found${hint === undefined ? '' : `: ${hint}`}`;
  return new PosthornError('POSTHORN_RESOURCE_UNKNOWN', { detail });
}

export function tenantNotFound(id: string): PosthornError {
  return new PosthornError('POSTHORN_TENANT_UNKNOWN', { detail: `tenant ${id} not found` });
}
