/** Finds member names that JSON parsers treat differently: duplicates, and `__proto__`. */
import type { FieldError } from '#domain/errors.ts';
import { duplicateKey, reservedName } from '#domain/field-faults.ts';
import { childPointer } from '#domain/json-pointer.ts';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './json-tokens.ts';

/** An open array or object. */
interface Container {
  isObject: boolean;
  /** Created for the second name, because many objects have only one. */
  names: Set<string> | undefined;
  /** Name of the current member. */
  name: string;
  /** Index of the current element. */
  index: number;
}

/**
 * Whether the text of a parsed value has no duplicate member name and none that is `__proto__`.
 * Much cheaper than `findNameFault`, which returns the pointer to the fault.
 *
 * @param members number of members in the text
 */
export function hasPlainNames(value: unknown, members: number): boolean {
  return countMembers(value) === members;
}

/** Returns NaN if a member is named `__proto__`. */
function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const element of value) {
      if (typeof element === 'object') count += countMembers(element);
    }
    return count;
  }
  if (Object.hasOwn(value, '__proto__')) return Number.NaN;
  for (const name in value) {
    count++;
    const part = (value as Record<string, unknown>)[name];
    if (typeof part === 'object') count += countMembers(part);
  }
  return count;
}

/** Positions in bytes. */
interface Span {
  start: number;
  end: number;
}

/**
 * Finds the first member whose name its object already has, or whose name is `__proto__`. Reads the
 * text once; names are compared after unescaping.
 *
 * @param bytes a JSON text that the scanner has accepted
 * @param skipped a value whose names are checked elsewhere
 */
export function findNameFault(bytes: Buffer, skipped?: Span): FieldError | undefined {
  const open: Container[] = [];
  let inner: Container | undefined;
  let isName = false;
  for (let i = 0; i < bytes.length; i++) {
    if (i === skipped?.start) i = skipped.end;
    const code = bytes[i] as number;
    switch (code) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        isName = code === OPEN_BRACE;
        inner = { isObject: isName, names: undefined, name: '', index: 0 };
        open.push(inner);
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        open.pop();
        inner = open.at(-1);
        isName = false;
        break;
      case COMMA:
        if (inner !== undefined) inner.index++;
        isName = inner?.isObject === true;
        break;
      case QUOTE: {
        const end = endOfString(bytes, i + 1);
        if (isName && inner !== undefined) {
          const name = nameAt(bytes, i + 1, end);
          if (name === '__proto__') return reservedName(pointerTo(open), name);
          if (isRepeated(inner, name)) return duplicateKey(pointerTo(open), name);
          inner.name = name;
          isName = false;
        }
        i = end;
        break;
      }
      default:
    }
  }
  return undefined;
}

/** The position of the closing quote. */
function endOfString(bytes: Buffer, start: number): number {
  let at = bytes.indexOf(QUOTE, start);
  while (isEscaped(bytes, start, at)) at = bytes.indexOf(QUOTE, at + 1);
  return at;
}

function isEscaped(bytes: Buffer, start: number, at: number): boolean {
  let first = at;
  while (first > start && bytes[first - 1] === BACKSLASH) first--;
  return (at - first) % 2 === 1;
}

function nameAt(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('utf8', start, end);
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
}

function isRepeated(object: Container, name: string): boolean {
  if (object.index === 0) return false;
  object.names ??= new Set([object.name]);
  if (object.names.has(name)) return true;
  object.names.add(name);
  return false;
}

/** Returns the JSON pointer to the innermost open container. */
function pointerTo(open: readonly Container[]): string {
  const outer = open.slice(0, -1);
  return outer.reduce(
    (at, { isObject, name, index }) => childPointer(at, isObject ? name : index),
    '',
  );
}
