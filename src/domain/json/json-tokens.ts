/**
 * The tokens of JSON (RFC 8259, sections 2, 3, 6 and 7) in UTF-8. Each function returns a position,
 * or -1 if there is no such token.
 */

export const SPACE = 32;
export const QUOTE = 34;
export const COMMA = 44;
export const COLON = 58;
export const OPEN_BRACKET = 91;
export const BACKSLASH = 92;
export const CLOSE_BRACKET = 93;
export const OPEN_BRACE = 123;
export const CLOSE_BRACE = 125;

const MINUS = 45;
const PLUS = 43;
const POINT = 46;
const ZERO = 48;
const NINE = 57;

export function isSpace(code: number): boolean {
  return code === SPACE || code === 10 || code === 13 || code === 9;
}

/** After the escape whose backslash is at `at`. */
export function endOfEscape(bytes: Uint8Array, at: number): number {
  switch (bytes[at + 1] ?? 0) {
    case QUOTE:
    case BACKSLASH:
    case 47: // /
    case 98: // b
    case 102: // f
    case 110: // n
    case 114: // r
    case 116: // t
      return at + 2;
    case 117: // u
      for (let i = at + 2; i < at + 6; i++) if (!isHexDigit(bytes[i] ?? 0)) return -1;
      return at + 6;
    default:
      return -1;
  }
}

function isHexDigit(code: number): boolean {
  return isDigit(code) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70);
}

/** After the `true`, `false` or `null` that begins at `at`. */
export function endOfLiteral(bytes: Uint8Array, at: number): number {
  const literal = LITERALS[bytes[at] ?? 0];
  if (literal === undefined) return -1;
  for (let i = 1; i < literal.length; i++) if (bytes[at + i] !== literal[i]) return -1;
  return at + literal.length;
}

const LITERALS: Partial<Record<number, Buffer>> = Object.fromEntries(
  ['true', 'false', 'null'].map((literal) => [literal.charCodeAt(0), Buffer.from(literal)]),
);

/**
 * After the number that begins at `at`; for a number longer than `most`, a position beyond that
 * length.
 */
export function endOfNumber(bytes: Uint8Array, at: number, most: number): number {
  const stop = at + most + 1;
  let i = bytes[at] === MINUS ? at + 1 : at;
  const first = bytes[i] ?? 0;
  if (!isDigit(first)) return -1;
  i = first === ZERO ? i + 1 : skipDigits(bytes, i, stop);
  if (bytes[i] === POINT) {
    const start = i + 1;
    i = skipDigits(bytes, start, stop);
    if (i === start) return -1;
  }
  // e, E
  if (((bytes[i] ?? 0) | 32) === 101) {
    const sign = bytes[i + 1];
    const start = sign === PLUS || sign === MINUS ? i + 2 : i + 1;
    i = skipDigits(bytes, start, stop);
    if (i === start) return -1;
  }
  return i;
}

function skipDigits(bytes: Uint8Array, at: number, stop: number): number {
  let i = at;
  while (i < stop && isDigit(bytes[i] ?? 0)) i++;
  return i;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** A character of UTF-8 has at most 4 bytes. */
export function firstCharacter(bytes: Buffer, at: number): string {
  return String.fromCodePoint(bytes.toString('utf8', at, at + 4).codePointAt(0) ?? 0);
}
