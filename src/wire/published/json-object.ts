import type { FieldError } from '#domain/errors.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import { limits } from '#domain/limits.ts';
import type { EventInput } from './event-input.ts';

export type Payload = Pick<EventInput, 'kind' | 'data' | 'noData'>;

/** A JSON object in a body: its members and their positions. */
export interface JsonObject {
  bytes: Buffer;
  members: ReadonlyMap<string, JsonNode>;
  /** JSON pointer of the object, with a trailing slash. */
  at: string;
}

/** The members that hold `data`, which may be as large as the body. */
const DATA_MEMBERS = new Set(['data', 'data_base64']);

/** Replaces a value longer than any attribute; every check of an attribute rejects it. */
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

const QUOTE = 34;

/** Whether a member is present and not null. */
export function isGiven({ bytes, members }: JsonObject, name: string): boolean {
  const node = members.get(name);
  if (node === undefined) return false;
  return node.end - node.start !== 4 || bytes.toString('latin1', node.start, node.end) !== 'null';
}

/** The value of a member that is a string or null. Its cost is in proportion to its length. */
export function stringValue(object: JsonObject, name: string): unknown {
  const { bytes, members } = object;
  const node = members.get(name);
  if (node === undefined) return undefined;
  if (!isGiven(object, name)) return null;
  if (bytes[node.start] !== QUOTE) return undefined;
  return JSON.parse(bytes.toString('utf8', node.start, node.end));
}

/** An event without `data`. */
export const NO_DATA = { kind: 'json', data: 'null', noData: true } as const;

/** `data` as the JSON text received, as bytes if it is large; `NO_DATA` without that member. */
export function jsonData({ bytes, members, at }: JsonObject, faults: FieldError[]): Payload {
  const node = members.get('data');
  if (node === undefined) return NO_DATA;
  checkDataDepth(node, `${at}data`, faults);
  return { kind: 'json', data: jsonText(bytes, node) };
}

export function checkDataDepth(node: JsonNode, pointer: string, faults: FieldError[]): void {
  if (node.depth <= limits.dataDepthMax) return;
  faults.push({ pointer, detail: `must not be nested deeper than ${limits.dataDepthMax}` });
}

/** A value as written. Large ones are not decoded: they travel as bytes. */
export function jsonText(
  bytes: Buffer,
  { start, end }: Pick<JsonNode, 'start' | 'end'>,
): string | Buffer {
  const isLarge = end - start > limits.jsonAtOnceBytesMax;
  return isLarge ? bytes.subarray(start, end) : bytes.toString('utf8', start, end);
}
