import type { DataFields } from '#domain/filter/needs-data.ts';
import { JsonFault } from '#domain/json/json-fault.ts';
import { LEAF } from '#domain/json/json-outline.ts';
import { scanJson } from '#domain/json/scan-json.ts';
import { limits } from '#domain/limits.ts';
import type { EventHead } from '#wire/frames/event-frame.ts';

/** The parts of an event that filters see: of one from a stream, the history or a dry run. */
export interface FilterableEvent {
  head: Pick<
    EventHead,
    | 'id'
    | 'producerId'
    | 'type'
    | 'source'
    | 'time'
    | 'subject'
    | 'ext'
    | 'kind'
    | 'noData'
    | 'payload'
  >;
  /** Undefined, or empty if there is a payload: not loaded, so filters do not see it. */
  data: Buffer | string | undefined;
}

/** Whether `data` is JSON so large that it has to be parsed in slices before the event is built. */
export function isBuiltInTurns({ head, data }: FilterableEvent): boolean {
  if (head.kind !== 'json' || data === undefined || !isDataSeen(data.length)) return false;
  return data.length > limits.filterDataAtOnceBytesMax;
}

/** Whether filters see `data` of this size. The router does not read larger payloads for them. */
export function isDataSeen(bytes: number): boolean {
  return bytes <= limits.filterPayloadBytesMax;
}

/**
 * Builds the event as filters see it (RT-1): its attributes, extensions, and `data`, parsed if it
 * is JSON, as a string if it is text. Binary data is left out, and so is large data that was not
 * loaded. The router, the explanation of a stored event and the dry run all use this function, so
 * that their verdicts agree.
 *
 * @param fields the members of `data` that the filters read; others may be absent
 * @param built the value of large `data`, if it was built before
 */
export function eventForFilter(
  { head, data }: FilterableEvent,
  fields: () => DataFields = () => 'all',
  built?: { value: unknown },
): Record<string, unknown> {
  const event: Record<string, unknown> = {
    ...head.ext,
    id: head.producerId ?? head.id,
    type: head.type,
    source: head.source,
    time: head.time,
  };
  if (head.subject !== undefined) event['subject'] = head.subject;
  if (head.noData === true || data === undefined || !isDataSeen(data.length)) return event;
  if (head.payload !== undefined && data.length === 0) return event;
  if (head.kind === 'json') {
    event['data'] = built === undefined ? dataValue(data, fields) : built.value;
  } else if (head.kind === 'text') event['data'] = data.toString();
  return event;
}

/**
 * Returns the value of `data`. Of a large object it builds only the members that filters read: some
 * values cost `JSON.parse` many times more than their length suggests, and block the event loop for
 * all tenants.
 */
function dataValue(data: Buffer | string, fieldsOf: () => DataFields): unknown {
  const fields = data.length > limits.filterDataWholeBytesMax ? fieldsOf() : 'all';
  const members = fields === 'all' ? undefined : findMembers(asBytes(data), fields);
  return members === undefined ? JSON.parse(data.toString()) : Object.fromEntries(members);
}

function asBytes(data: Buffer | string): Buffer {
  return typeof data === 'string' ? Buffer.from(data) : data;
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
