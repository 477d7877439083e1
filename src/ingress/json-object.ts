import type { FieldError } from '#domain/errors.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import { limits } from '#domain/limits.ts';

/** A JSON object in a body: what its members are, and where. */
export interface JsonObject {
  bytes: Buffer;
  members: ReadonlyMap<string, JsonNode>;
  /** JSON pointer of the object, with the slash after it. */
  at: string;
}

/** The members that hold `data`, which may be as large as the body. */
const DATA_MEMBERS = new Set(['data', 'data_base64']);

/** Replaces a value that is longer than any attribute: every check of an attribute refuses it. */
const OVERSIZED = Object.freeze({});

/** The members of an event that are attributes, as values. */
export function attributeValues({ bytes, members }: JsonObject): Record<string, unknown> {
  const values: [string, unknown][] = [];
  for (const [name, { start, end }] of members) {
    if (DATA_MEMBERS.has(name)) continue;
    const isOversized = end - start > limits.eventAttributeBytesMax;
    values.push([name, isOversized ? OVERSIZED : JSON.parse(bytes.toString('utf8', start, end))]);
  }
  return Object.fromEntries(values);
}

/**
 * The value of a member that is a string or null. To build these costs in proportion to their
 * length.
 */
export function stringValue({ bytes, members }: JsonObject, name: string): unknown {
  const node = members.get(name);
  if (node === undefined) return undefined;
  const text = bytes.toString('utf8', node.start, Math.min(node.end, node.start + 4));
  if (text === 'null') return null;
  if (!text.startsWith('"')) return undefined;
  return JSON.parse(bytes.toString('utf8', node.start, node.end));
}

/** The text of `data`, as it was sent; `null` where there is none. Bytes where it is large. */
export function jsonData(
  { bytes, members, at }: JsonObject,
  faults: FieldError[],
): string | Buffer {
  const node = members.get('data');
  if (node === undefined) return 'null';
  checkDataDepth(node, `${at}data`, faults);
  return jsonText(bytes, node);
}

export function checkDataDepth(node: JsonNode, pointer: string, faults: FieldError[]): void {
  if (node.depth <= limits.dataDepthMax) return;
  faults.push({ pointer, detail: `must not be nested deeper than ${limits.dataDepthMax}` });
}

/** A value as it is written. Large ones are not decoded: they travel as bytes. */
export function jsonText(
  bytes: Buffer,
  { start, end }: Pick<JsonNode, 'start' | 'end'>,
): string | Buffer {
  const isLarge = end - start > limits.jsonAtOnceBytesMax;
  return isLarge ? bytes.subarray(start, end) : bytes.toString('utf8', start, end);
}
