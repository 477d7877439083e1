import { PosthornError } from '#domain/errors.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import { unknownField } from '#domain/field-faults.ts';
import { limits } from '#domain/limits.ts';
import { readCloudEvent } from '#wire/published/cloudevent.ts';
import { type EventInput, refuse } from '#wire/published/event-input.ts';
import { objectAt, readEvent } from '#wire/published/read-event.ts';
import {
  scan,
  wantedOfBatch,
  wantedOfCloudEventBatch,
  wantedOfEvent,
} from '#wire/published/scan-body.ts';

const OPEN_BRACKET = 91;

/**
 * Reads one event from `application/json`: the plain form `{type, data, id?, …}`, or a CloudEvent
 * if it has `specversion`.
 *
 * @throws PosthornError POSTHORN_BODY_INVALID, POSTHORN_EVENT_INVALID
 */
export function readEventBody(body: Buffer, outline = scan(body, wantedOfEvent)): EventInput {
  return readEvent(body, outline, '/');
}

/** One structured CloudEvent (`application/cloudevents+json`). */
export function readStructuredBody(body: Buffer, outline = scan(body, wantedOfEvent)): EventInput {
  return readCloudEvent(objectAt(body, outline, '/'));
}

/** The items of a batch: events, or the errors of rejected ones. */
export type BatchItem = { input: EventInput } | { error: PosthornError };

/** `{"events":[…]}`. @throws PosthornError if the batch as a whole cannot be read */
export function readBatchBody(body: Buffer, outline = scan(body, wantedOfBatch)): BatchItem[] {
  const { members } = objectAt(body, outline, '/');
  const unknown = [...members.keys()].filter((name) => name !== 'events');
  refuse(unknown.map((name) => unknownField('', name)));
  return readItems(body, members.get('events'), '/events', readEvent);
}

/** `application/cloudevents-batch+json`: an array of CloudEvents. */
export function readCloudEventBatch(
  body: Buffer,
  outline = scan(body, wantedOfCloudEventBatch),
): BatchItem[] {
  return readItems(body, outline, '', (bytes, node, at) =>
    readCloudEvent(objectAt(bytes, node, at)),
  );
}

function readItems(
  bytes: Buffer,
  list: JsonNode | undefined,
  pointer: string,
  read: (bytes: Buffer, node: JsonNode, at: string) => EventInput,
): BatchItem[] {
  if (list === undefined || bytes[list.start] !== OPEN_BRACKET) {
    throw new PosthornError('POSTHORN_EVENT_INVALID', {
      fields: [{ pointer, detail: 'must be an array of events' }],
    });
  }
  if (list.count > limits.batchEventsMax) {
    const detail = `the batch has more than ${limits.batchEventsMax} events`;
    throw new PosthornError('POSTHORN_BATCH_TOO_LARGE', { detail });
  }
  return [...list.children.values()].map((node, index) => {
    try {
      return { input: read(bytes, node, `${pointer}/${index}/`) };
    } catch (error) {
      if (error instanceof PosthornError) return { error };
      throw error;
    }
  });
}
