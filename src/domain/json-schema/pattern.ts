import { RE2JS } from 're2js';
import { limits } from '#domain/limits.ts';
import { type BoundedRegex, compileBoundedRegex } from '#domain/bounded-regex.ts';

/**
 * A `pattern` of JSON Schema, which is written as in ECMA-262 (`\u00e9`, `(?<name>…)`), for RE2. What RE2
 * does not have (look-around, back-references) is refused.
 *
 * @throws Error whose message says what is wrong with the pattern
 */
export function compilePattern(pattern: string): BoundedRegex {
  if (pattern.length > limits.schemaPatternLengthMax) {
    throw new Error(`is longer than ${limits.schemaPatternLengthMax} characters`);
  }
  return compileBoundedRegex(RE2JS.translateRegExp(pattern));
}
