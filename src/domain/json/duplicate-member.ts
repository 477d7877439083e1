import type { FieldError } from '../errors.ts';
import { duplicateKey } from '../field-faults.ts';
import type { JsonNode } from './json-outline.ts';

/**
 * The fault of an object with two members of one name: only the first was checked, and a parser
 * would use the last. Undefined if every name is unique.
 *
 * @param pointer JSON pointer of the object
 */
export function duplicateMember({ repeated }: JsonNode, pointer: string): FieldError | undefined {
  if (repeated === undefined) return undefined;
  return duplicateKey(pointer, repeated);
}
