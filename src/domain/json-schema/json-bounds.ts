import type { FieldError } from '#domain/errors.ts';
import { reservedName } from '#domain/field-faults.ts';
import { childPointer } from '#domain/json-pointer.ts';

/** Whether a value is nested deeper than `depthMax`; inspects no deeper level. */
export function isDeeperThan(value: unknown, depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depthMax === 0) return true;
  if (Array.isArray(value)) return value.some((part) => isDeeperThan(part, depthMax - 1));
  for (const key in value) {
    if (isDeeperThan((value as Record<string, unknown>)[key], depthMax - 1)) return true;
  }
  return false;
}

/** Finds the member `__proto__`, which code that copies objects confuses with the prototype. */
export function findProtoMember(value: unknown, pointer = ''): FieldError | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, part] of Object.entries(value)) {
    const at = childPointer(pointer, key);
    if (key === '__proto__') return reservedName(pointer, key);
    const error = findProtoMember(part, at);
    if (error !== undefined) return error;
  }
  return undefined;
}
