/**
 * Finds where the parts of a JSON text begin and end, so that `data` can travel as the bytes the producer
 * sent: numbers too big for a double, escapes, the order of keys and repeated keys survive, which a parse and
 * a print would change.
 *
 * The text must have been accepted by `JSON.parse` before; what is found in other text means nothing.
 */

export interface Span {
  start: number;
  /** After the last character. */
  end: number;
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const COMMA = 44;

/** The members of the object whose brace stands at `at`, or the name that stands in it twice. */
export function memberSpans(text: string, at: number): Map<string, Span> | { repeated: string } {
  const members = new Map<string, Span>();
  let i = skipSpace(text, at + 1);
  while (text.charCodeAt(i) !== CLOSE_BRACE) {
    if (text.charCodeAt(i) === COMMA) i = skipSpace(text, i + 1);
    const nameEnd = endOfString(text, i);
    const name = nameOf(text, i, nameEnd);
    // Past the colon.
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = endOfValue(text, start);
    if (members.has(name)) return { repeated: name };
    members.set(name, { start, end });
    i = skipSpace(text, end);
  }
  return members;
}

/** The elements of the array whose bracket stands at `at`. */
export function elementSpans(text: string, at: number): Span[] {
  const elements: Span[] = [];
  let i = skipSpace(text, at + 1);
  while (text.charCodeAt(i) !== CLOSE_BRACKET) {
    if (text.charCodeAt(i) === COMMA) i = skipSpace(text, i + 1);
    const end = endOfValue(text, i);
    elements.push({ start: i, end });
    i = skipSpace(text, end);
  }
  return elements;
}

/** Where the first character that is not white space stands. */
export function skipSpace(text: string, at: number): number {
  let i = at;
  while (isSpace(text.charCodeAt(i))) i++;
  return i;
}

/** How deep arrays and objects are nested in a span. */
export function depthOf(text: string, span: Span): number {
  let depth = 0;
  let deepest = 0;
  for (let i = span.start; i < span.end; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i) - 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) deepest = Math.max(deepest, ++depth);
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--;
  }
  return deepest;
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}

function nameOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfNested(text, start);
  let i = start;
  for (let code = first; !isEnd(code) && i < text.length; code = text.charCodeAt(++i));
  return i;
}

function isEnd(code: number): boolean {
  return code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET || isSpace(code);
}

function endOfNested(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i) - 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) return i + 1;
  }
  return text.length;
}

/** After the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
  return text.length;
}
