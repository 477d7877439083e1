import type { DataFields } from '#domain/filter/needs-data.ts';
import { JsonFault } from '#domain/json/json-fault.ts';
import { LEAF } from '#domain/json/json-outline.ts';
import { scanJson } from '#domain/json/scan-json.ts';
import { limits } from '#domain/limits.ts';
import type { EventFrame } from '#wire/frames/event-frame.ts';

/**
 * Builds the event as filters see it (RT-1): its attributes, extensions, and `data`, parsed if it
 * is JSON, as a string if it is text. Binary data is left out, and so is large data that was not
 * loaded.
 *
 * @param fields the members of `data` that the filters read; others may be absent
 */
export function eventForFilter(
  { head, data }: EventFrame,
  fields: () => DataFields = () => 'all',
): Record<string, unknown> {
  const event: Record<string, unknown> = {
    ...head.ext,
    id: head.producerId ?? head.id,
    type: head.type,
    source: head.source,
    time: head.time,
  };
  if (head.subject !== undefined) event['subject'] = head.subject;
  if (head.noData === true) return event;
  if (head.payload !== undefined && data.length === 0) return event;
  if (head.kind === 'json') event['data'] = dataValue(data, fields);
  else if (head.kind === 'text') event['data'] = data.toString();
  return event;
}

/**
 * Returns the value of `data`. Of a large object it builds only the members that filters read: some
 * values cost `JSON.parse` many times more than their length suggests, and block the event loop for
 * all tenants.
 */
function dataValue(data: Buffer, fieldsOf: () => DataFields): unknown {
  const fields = data.length > limits.filterDataWholeBytesMax ? fieldsOf() : 'all';
  const members = fields === 'all' ? undefined : findMembers(data, fields);
  return members === undefined ? JSON.parse(data.toString()) : Object.fromEntries(members);
}

const OPEN_BRACE = 123;

/** Undefined if `data` is not an object or repeats a member: the caller then parses all of it. */
function findMembers(data: Buffer, fields: ReadonlySet<string>): [string, unknown][] | undefined {
  const named = new Map([...fields].map((field) => [field, LEAF]));
  try {
    const { start, children, repeated } = scanJson(data, { named });
    if (data[start] !== OPEN_BRACE || repeated !== undefined) return undefined;
    return [...children].map(([name, node]) => [
      name,
      JSON.parse(data.toString('utf8', node.start, node.end)),
    ]);
  } catch (error) {
    // Accepted before bounds on JSON existed.
    if (error instanceof JsonFault) return undefined;
    throw error;
  }
}
