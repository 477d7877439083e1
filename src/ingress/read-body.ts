import { isUtf8 } from 'node:buffer';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';
import { readCloudEvent } from './cloudevents.ts';
import { type EventInput, checkAttributes, checkPriority, refuse } from './event-input.ts';
import { type JsonObject, jsonData } from './json-object.ts';
import { type Span, elementSpans, memberSpans, skipSpace } from './json-text.ts';

/**
 * One event as `application/json`: the plain form `{type, data, id?, …}`, or a CloudEvent where it says
 * `specversion`.
 *
 * @throws PosthornError POSTHORN_BODY_INVALID, POSTHORN_EVENT_INVALID
 */
export function readEventBody(body: Buffer): EventInput {
  const { text, value } = parseBody(body);
  return readEvent(text, value, skipSpace(text, 0), '/');
}

/** One structured CloudEvent (`application/cloudevents+json`). */
export function readStructuredBody(body: Buffer): EventInput {
  const { text, value } = parseBody(body);
  return readCloudEvent(objectAt(text, value, skipSpace(text, 0), '/'));
}

/** The items of a batch: events, or why each was refused. */
export type BatchItem = { input: EventInput } | { error: PosthornError };

/** `{"events":[…]}`. @throws PosthornError where the batch as a whole cannot be read */
export function readBatchBody(body: Buffer): BatchItem[] {
  const { text, value } = parseBody(body);
  const { members } = objectAt(text, value, skipSpace(text, 0), '/');
  const { events } = value as { events?: unknown };
  const unknown = [...members.keys()].filter((name) => name !== 'events');
  if (unknown.length > 0) {
    refuse(
      unknown.map((name) => ({ pointer: childPointer('', name), detail: 'is not known here' })),
    );
  }
  if (!Array.isArray(events) || events.length === 0) {
    refuse([{ pointer: '/events', detail: 'must be an array of at least one event' }]);
  }
  const start = (members.get('events') as Span).start;
  return readItems(text, events as unknown[], start, '/events/', readEvent);
}

/** `application/cloudevents-batch+json`: an array of CloudEvents. */
export function readCloudEventBatch(body: Buffer): BatchItem[] {
  const { text, value } = parseBody(body);
  if (!Array.isArray(value) || value.length === 0) {
    refuse([{ pointer: '', detail: 'must be an array of at least one event' }]);
  }
  const start = skipSpace(text, 0);
  return readItems(text, value as unknown[], start, '/', (t, v, s, at) =>
    readCloudEvent(objectAt(t, v, s, at)),
  );
}

function readItems(
  text: string,
  values: unknown[],
  start: number,
  at: string,
  read: (text: string, value: unknown, start: number, at: string) => EventInput,
): BatchItem[] {
  if (values.length > limits.batchEventsMax) {
    throw new PosthornError('POSTHORN_BATCH_TOO_LARGE', {
      detail: `the batch has ${values.length} events; at most ${limits.batchEventsMax} are taken`,
    });
  }
  return elementSpans(text, start).map((span, index) => {
    try {
      return { input: read(text, values[index], span.start, `${at}${index}/`) };
    } catch (error) {
      if (error instanceof PosthornError) return { error };
      throw error;
    }
  });
}

function parseBody(body: Buffer): { text: string; value: unknown } {
  if (!isUtf8(body)) {
    throw new PosthornError('POSTHORN_BODY_INVALID', { detail: 'the body is not UTF-8' });
  }
  const text = body.toString();
  try {
    return { text, value: JSON.parse(text) as unknown };
  } catch (error) {
    throw new PosthornError('POSTHORN_BODY_INVALID', { detail: (error as Error).message });
  }
}

function objectAt(text: string, value: unknown, start: number, at: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PosthornError('POSTHORN_EVENT_INVALID', {
      fields: [{ pointer: at.slice(0, -1), detail: 'must be an object' }],
    });
  }
  const members = memberSpans(text, start);
  if (!(members instanceof Map)) {
    const pointer = childPointer(at.slice(0, -1), members.repeated);
    refuse([{ pointer, detail: 'stands here twice: which one is meant cannot be known' }]);
  }
  return {
    text,
    value: value as Record<string, unknown>,
    members: members as Map<string, Span>,
    at,
  };
}

function readEvent(text: string, value: unknown, start: number, at: string): EventInput {
  const object = objectAt(text, value, start, at);
  if (object.members.has('specversion')) return readCloudEvent(object);
  return readPlainEvent(object);
}

const PLAIN_FIELDS = new Set([
  'id',
  'type',
  'source',
  'time',
  'subject',
  'dataschema',
  'priority',
  'data',
]);

function readPlainEvent(object: JsonObject): EventInput {
  const faults: FieldError[] = [];
  for (const name of object.members.keys()) {
    if (!PLAIN_FIELDS.has(name)) {
      const pointer = childPointer(object.at.slice(0, -1), name);
      faults.push({ pointer, detail: 'is not known here' });
    }
  }
  const attributes = checkAttributes(object.value, object.at, faults);
  const priority = checkPriority(object.value['priority'], `${object.at}priority`, faults);
  const data = jsonData(object, faults);
  refuse(faults);
  return { ...attributes, ...priority, kind: 'json', data, value: object.value['data'] ?? null };
}
