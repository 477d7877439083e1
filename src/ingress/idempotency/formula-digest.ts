/**
 * Digest of an event's values in the fields of a formula: equal digests mean equal fields (IN-7).
 *
 * An absent field equals only an absent field: neither `null` nor the empty string.
 *
 * Values in `data` are compared as JSON values: white space, escapes and the order of keys do not
 * count. Numbers that a double does not represent exactly are compared by their digits, so that two
 * different ones never compare as equal.
 *
 * Two kinds of values are compared as written. First, an object on the way to a value that repeats
 * the next name. Second, values beyond `limits.deduplicationCanonicalBytesMax` of an event, as
 * making them canonical costs more than reading them.
 */
import { createHash } from 'node:crypto';
import { type FormulaField, parseFormulaField } from '#domain/event/deduplication.ts';
import { isKeptExactly } from '#domain/json/inexact-number.ts';
import type { JsonNode, Wanted } from '#domain/json/json-outline.ts';
import { scanJson } from '#domain/json/scan-json.ts';
import { limits } from '#domain/limits.ts';
import type { EventInput } from '#wire/published/event-input.ts';

/** The parts to find in JSON `data`: the values at the paths of a formula. */
export function wantedOfFormula(fields: readonly string[]): Wanted {
  const root: NamedWanted = { named: new Map() };
  for (const field of fields) {
    const parsed = parseFormulaField(field);
    if (parsed?.kind !== 'data') continue;
    let wanted = root;
    for (const name of parsed.path) {
      const inner = wanted.named.get(name) ?? { named: new Map() };
      wanted.named.set(name, inner);
      wanted = inner;
    }
  }
  return root;
}

interface NamedWanted extends Wanted {
  named: Map<string, NamedWanted>;
}

/**
 * SHA-256 (base64url) of the event's type and its values in the fields.
 *
 * @param outline of JSON `data`, with the parts of `wantedOfFormula`
 */
export function formulaDigest(
  fields: readonly string[],
  input: EventInput,
  outline?: JsonNode,
): string {
  const data: Data = {
    bytes: Buffer.from(input.data),
    outline,
    lengthLeft: limits.deduplicationCanonicalBytesMax,
  };
  if (input.kind === 'json') data.outline ??= scanJson(data.bytes, wantedOfFormula(fields));
  const hash = createHash('sha256').update(JSON.stringify([input.type, fields]));
  for (const field of fields) {
    const parsed = parseFormulaField(field);
    const text = parsed === undefined ? undefined : valueOf(parsed, input, data);
    // Prefixed with its length, so that content cannot imitate a boundary.
    if (text === undefined) hash.update('\n-');
    else hash.update(`\n${text.length}:`).update(text);
  }
  return hash.digest('base64url');
}

interface Data {
  bytes: Buffer;
  /** Absent: the data is not JSON. */
  outline: JsonNode | undefined;
  /** Bytes that may still be made canonical. */
  lengthLeft: number;
}

function valueOf(field: FormulaField, input: EventInput, data: Data): string | Buffer | undefined {
  if (field.kind === 'attribute') return attributeOf(field.name, input);
  if (data.outline !== undefined) return jsonValueAt(data, data.outline, field.path);
  return field.path.length === 0 ? data.bytes : undefined;
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
      return input.ext !== undefined && Object.hasOwn(input.ext, name)
        ? String(input.ext[name])
        : undefined;
  }
}

function jsonValueAt(
  data: Data,
  outline: JsonNode,
  path: readonly string[],
): string | Buffer | undefined {
  let node = outline;
  for (const name of path) {
    // The name is repeated: neither value is the right one.
    if (node.repeated !== undefined) return asWritten(data, node);
    const child = node.children.get(name);
    if (child === undefined) return undefined;
    node = child;
  }
  data.lengthLeft -= node.end - node.start;
  if (data.lengthLeft < 0) return asWritten(data, node);
  return canonical(JSON.parse(String(asWritten(data, node)), exactNumber as never));
}

function asWritten({ bytes }: Data, { start, end }: JsonNode): Buffer {
  return bytes.subarray(start, end);
}

/** A number as written, if a double does not represent it exactly. */
class Digits {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A reviver; its third argument has the text of the value (JSON.parse source text access). */
function exactNumber(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  return isKeptExactly(context.source, value) ? value : new Digits(context.source);
}

/** JSON without white space, with the names of each object sorted. */
function canonical(value: unknown): string {
  if (value instanceof Digits) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}
