/** Numbers in JSON texts that change their value when read as doubles (IEEE 754 binary64). */
import { childPointer } from '#domain/json-pointer.ts';

/** A double keeps any 15 significant decimal digits (IEEE 754, `DBL_DIG`). */
const DIGITS_ALWAYS_KEPT = 15;

/**
 * Whether a number keeps its value when it is read as a double and written again.
 * `12345678901234567890`, `1e400` and `0.1000000000000000055` do not.
 *
 * @param source text of the number in JSON
 * @param value parsed by `JSON.parse`
 */
export function isKeptExactly(source: string, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  const read = decimalOf(source);
  if (value === 0) return read.digits === '';
  if (read.digits.length <= DIGITS_ALWAYS_KEPT) return true;
  const written = decimalOf(value.toExponential());
  return read.digits === written.digits && read.exponent === written.exponent;
}

/** `0.digits` times 10 to the power of `exponent`, without the sign; zero has no digits. */
interface Decimal {
  digits: string;
  exponent: number;
}

function decimalOf(source: string): Decimal {
  const [mantissa = '', power = '0'] = source.replace(/^-/, '').toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const all = whole + fraction;
  const digits = all.replace(/^0+/, '');
  const exponent = whole.length + Number(power) - (all.length - digits.length);
  return { digits: digits.replace(/0+$/, ''), exponent };
}

/** A number that a double does not represent exactly. */
export interface InexactNumber {
  /** Below the text's root. */
  pointer: string;
  source: string;
}

/** Finds the first number of a JSON text that a double does not represent exactly. */
export function findInexactNumber(text: string): InexactNumber | undefined {
  // Most texts contain no candidate, and need no second parse.
  if (!/\d[\d.]{15}|\d[eE][-+]?\d{3}/.test(text)) return undefined;
  const found: Search = { path: [] };
  JSON.parse(text, function review(this: object, key: string, value: unknown, context: Context) {
    if (found.source === undefined) {
      const { source } = context;
      if (typeof value !== 'number' || source === undefined) return value;
      if (isKeptExactly(source, value)) return value;
      Object.assign(found, { source, holder: this, path: [key] });
    } else if (value === found.holder) {
      // Members come before their object, so the path grows towards the root.
      found.path.unshift(key);
      found.holder = this;
    }
    return value;
  } as never);
  if (found.source === undefined) return undefined;
  // JSON.parse passes the root as the member '' of an object.
  const [, ...path] = found.path;
  return { pointer: path.reduce<string>(childPointer, ''), source: found.source };
}

interface Search {
  source?: string;
  holder?: object;
  path: string[];
}

/** Third argument of a reviver (ECMAScript, JSON.parse source text access). */
interface Context {
  source?: string;
}
