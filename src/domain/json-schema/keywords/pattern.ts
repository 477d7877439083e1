import { RE2JS } from 're2js';
import { limits } from '#domain/limits.ts';
import { type BoundedRegex, compileBoundedRegex } from '../../bounds/bounded-regex.ts';

/**
 * Compiles a `pattern` of JSON Schema, in the syntax of ECMA-262 (`\u00e9`, `(?<name>…)`), for RE2.
 * White space and `.` have the meaning of ECMA-262. Look-around and back-references are rejected,
 * as RE2 has none.
 *
 * @throws Error with a message that describes the fault of the pattern
 */
export function compilePattern(pattern: string): BoundedRegex {
  if (pattern.length > limits.schemaPatternLengthMax) {
    throw new Error(`is longer than ${limits.schemaPatternLengthMax} characters`);
  }
  return compileBoundedRegex(withEcmaClasses(RE2JS.translateRegExp(pattern)));
}

/** `WhiteSpace` and `LineTerminator` of ECMA-262; the `\s` of RE2 is ASCII. */
const SPACE = String.raw`\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`;
const NOT_SPACE =
  String.raw`\x{0}-\x{8}\x{e}-\x{1f}!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}` +
  String.raw`\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`;
/** The `.` of ECMA-262; that of RE2 excludes only `\n`. */
const DOT = String.raw`[^\n\r\x{2028}\x{2029}]`;

function withEcmaClasses(pattern: string): string {
  let inClass = false;
  return pattern.replaceAll(/\\[^]|[^\\]/gu, (token, offset: number) => {
    if (token === '\\s') return inClass ? SPACE : `[${SPACE}]`;
    if (token === '\\S') return inClass ? NOT_SPACE : `[${NOT_SPACE}]`;
    if (token === '[') inClass = true;
    else if (token === ']') inClass = false;
    else if (token === '.' && !inClass && !isNeedless(pattern, offset)) return DOT;
    return token;
  });
}

/** A `.*` at either end of a search also matches nothing, so its `.` does not matter. */
function isNeedless(pattern: string, offset: number): boolean {
  return pattern[offset + 1] === '*' && (offset === 0 || offset + 2 === pattern.length);
}
