import { PosthornError } from '#domain/errors.ts';
import { broadcastEventId, cloudEventId, plainEventId } from '#domain/event/event-id.ts';
import { newId } from '#domain/ids.ts';
import type { EventHead } from '#wire/frames/event-frame.ts';
import type { EventInput } from './event-input.ts';
import { fingerprintOf } from './fingerprint.ts';

/** Builds the head of an event's frame: the producer's attributes, and those that ingress adds. */
export function eventHead(
  input: EventInput,
  given: {
    /** Used if the producer names no source. */
    source: string;
    acceptedMs: number;
    correlationId: string;
    /** The event goes to every tenant. */
    broadcast?: true;
  },
): EventHead {
  const { source, acceptedMs, correlationId, broadcast } = given;
  const id = eventIdOf(input, source, broadcast) ?? newId('evt', acceptedMs);
  const head: EventHead = {
    id,
    type: input.type,
    source: input.source ?? source,
    time: input.time ?? new Date(acceptedMs).toISOString(),
    kind: input.kind,
    acceptedMs,
    correlationId,
  };
  if (input.id !== undefined && input.id !== id) head.producerId = input.id;
  if (input.subject !== undefined) head.subject = input.subject;
  if (input.dataschema !== undefined) head.dataschema = input.dataschema;
  if (input.contentType !== undefined) head.contentType = input.contentType;
  if (input.noData) head.noData = true;
  if (input.ext !== undefined) head.ext = input.ext;
  if (broadcast) head.broadcast = true;
  if (input.id !== undefined) head.fingerprint = fingerprintOf(input);
  return head;
}

/** The event id for the producer's chosen id; undefined if the producer chose none. */
function eventIdOf(
  { id, idScope, source }: EventInput,
  defaultSource: string,
  broadcast?: true,
): string | undefined {
  if (id === undefined) return undefined;
  // The id of a plain event is unique for any source, as is the key of a request.
  const scope = idScope === undefined ? defaultSource : (source ?? defaultSource);
  if (broadcast) return broadcastEventId(scope, id);
  return idScope === undefined ? plainEventId(scope, id) : cloudEventId(scope, id, defaultSource);
}

/** @throws PosthornError POSTHORN_EVENT_TOO_LARGE */
export function checkFrameSize(frame: Buffer, bytesMax: number): void {
  if (frame.length <= bytesMax) return;
  throw new PosthornError('POSTHORN_EVENT_TOO_LARGE', {
    detail: `the event has ${frame.length} bytes with its attributes; at most ${bytesMax} are allowed`,
  });
}
