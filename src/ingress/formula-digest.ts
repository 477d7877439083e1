/**
 * What an event says in the fields of a formula, as a digest: equal digests mean equal fields (IN-7).
 *
 * - A field that is absent equals one that is absent, and nothing else: not `null`, not the empty string.
 * - Values of `data` are compared as JSON values: white space, escapes and the order of keys do not count. Numbers
 *   that a double does not hold exactly are compared by their digits, so that two of them are never taken for one.
 * - On the way to a value, an object that has a name twice is compared as it is written.
 */
import { createHash } from 'node:crypto';
import { type FormulaField, parseFormulaField } from '#domain/deduplication.ts';
import type { EventInput } from './event-input.ts';
import { type Span, elementSpans, memberSpans, skipSpace } from './json-text.ts';

/** SHA-256 (base64url) of the event's type and what it says in the fields. */
export function formulaDigest(fields: readonly string[], input: EventInput): string {
  const hash = createHash('sha256').update(JSON.stringify([input.type, fields]));
  for (const field of fields) {
    const parsed = parseFormulaField(field);
    const said = parsed === undefined ? undefined : valueOf(parsed, input);
    // Its length stands before it: where one ends and the next begins is not open to its content.
    if (said === undefined) hash.update('\n-');
    else hash.update(`\n${said.length}:`).update(said);
  }
  return hash.digest('base64url');
}

function valueOf(field: FormulaField, input: EventInput): string | Buffer | undefined {
  if (field.kind === 'attribute') return attributeOf(field.name, input);
  const { data } = input;
  if (input.kind === 'json') return jsonValueAt(data.toString(), field.path);
  return field.path.length === 0 ? data : undefined;
}

function attributeOf(name: string, input: EventInput): string | undefined {
  switch (name) {
    case 'type':
    case 'source':
    case 'time':
    case 'subject':
    case 'dataschema':
      return input[name];
    case 'datacontenttype':
      return input.contentType;
    default:
      return input.ext?.[name];
  }
}

function jsonValueAt(text: string, path: readonly string[]): string | undefined {
  const start = skipSpace(text, 0);
  let span: Span = { start, end: text.length };
  for (const name of path) {
    const children = childrenOf(text, span.start);
    // Which of the two is meant cannot be known.
    if (children === 'ambiguous') return text.slice(span.start, span.end);
    const child = children?.get(name);
    if (child === undefined) return undefined;
    span = child;
  }
  return canonical(JSON.parse(text.slice(span.start, span.end), exactNumber as never));
}

function childrenOf(text: string, at: number): Map<string, Span> | 'ambiguous' | undefined {
  if (text[at] === '[') {
    return new Map(elementSpans(text, at).map((span, index) => [String(index), span]));
  }
  if (text[at] !== '{') return undefined;
  const members = memberSpans(text, at);
  return members instanceof Map ? members : 'ambiguous';
}

/** A number as it is written, where a double does not hold it exactly. */
class Digits {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A double keeps 15 significant decimal digits, whatever they are (IEEE 754, `DBL_DIG`). */
const EXACT_DIGITS = 15;

/** A reviver; its third argument has the text of the value (ECMAScript, JSON.parse source text access). */
function exactNumber(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  const digits = context.source.replace(/[eE].*$/, '').replaceAll(/[-.]/g, '');
  const tooSmall = value === 0 && /[1-9]/.test(digits);
  if (digits.length <= EXACT_DIGITS && Number.isFinite(value) && !tooSmall) return value;
  return new Digits(context.source);
}

/** JSON without white space, the names of an object in order. */
function canonical(value: unknown): string {
  if (value instanceof Digits) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}
