/**
 * Reads an event from a NATS message (IN-4). Structured CloudEvents follow the NATS protocol
 * binding 1.0.2, section 3 (https://github.com/cloudevents/spec,
 * bindings/nats-protocol-binding.md); binary mode uses `ce-` headers as in the HTTP binding. Any
 * other message is the data of an event.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { MsgHdrs } from '@nats-io/nats-core';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { duplicateKey } from '#domain/field-faults.ts';
import { type JsonNode, LEAF, type Wanted } from '#domain/json/json-outline.ts';
import { limits } from '#domain/limits.ts';
import { essenceOf } from '#domain/event/media-type.ts';
import { isBinaryMode, readBinaryEvent } from '../cloudevents/binary.ts';
import { isJsonPayload, readPayloadBytes } from '../cloudevents/payload-bytes.ts';
import {
  type EventInput,
  checkAttributes,
  checkPriority,
  refuse,
} from '#wire/published/event-input.ts';
import { readStructuredBody } from '../read/read-body.ts';
import { wantedOfEvent } from '#wire/published/scan-body.ts';

const STRUCTURED = 'application/cloudevents+json';

/**
 * @param named from `namedHeaders`
 * @param body after its content codings are removed
 * @param type the type in the subject; the event must have the same
 * @param outline of a large body, which was scanned before
 * @throws PosthornError POSTHORN_EVENT_INVALID, POSTHORN_BODY_INVALID,
 * POSTHORN_MEDIA_TYPE_UNSUPPORTED
 */
export function readNatsEvent(
  named: IncomingHttpHeaders,
  body: Buffer,
  type: string,
  outline?: JsonNode,
): EventInput {
  const contentType = named['content-type'];
  const structured = isStructured(contentType);
  if (!structured && !isBinaryMode(named)) return readBare(named, body, type, outline);
  const input = structured
    ? readStructured(contentType ?? '', body, outline)
    : readBinary(named, body, outline);
  if (input.type !== type) {
    refuse([{ pointer: '/type', detail: `must be ${type}, the type that the subject names` }]);
  }
  return input;
}

/** The parts to find in the body of a message; undefined if it is not read as JSON. */
export function wantedOfNatsEvent(named: IncomingHttpHeaders): Wanted | undefined {
  if (isStructured(named['content-type'])) return wantedOfEvent;
  return isJsonPayload(dataTypeOf(named)) ? LEAF : undefined;
}

function isStructured(contentType: string | undefined): boolean {
  return contentType?.toLowerCase().startsWith('application/cloudevents') === true;
}

/**
 * Returns the headers of a message with lower-case names. NATS keeps the producer's spelling, and
 * may hold one header several times.
 *
 * @throws PosthornError POSTHORN_EVENT_INVALID for a repeated header
 */
export function namedHeaders(headers: MsgHdrs | undefined): IncomingHttpHeaders {
  // A header may have the name of a member of `Object.prototype`.
  const named = Object.create(null) as Record<string, string>;
  if (headers === undefined) return named;
  const faults: FieldError[] = [];
  const keys = headers.keys();
  if (keys.length > limits.natsHeadersMax) {
    const detail = `has more than ${limits.natsHeadersMax} headers`;
    refuse([{ pointer: '#header', detail }]);
  }
  for (const key of keys) {
    const name = key.toLowerCase();
    const values = headers.values(key);
    if (name in named || values.length > 1) {
      faults.push(duplicateKey('#header', name));
    }
    named[name] = values[0] ?? '';
  }
  refuse(faults);
  return named;
}

function readStructured(contentType: string, body: Buffer, outline?: JsonNode): EventInput {
  const mediaType = essenceOf(contentType);
  if (mediaType === STRUCTURED) return readStructuredBody(body, outline);
  const detail = `${mediaType} is not supported; send ${STRUCTURED}`;
  throw new PosthornError('POSTHORN_MEDIA_TYPE_UNSUPPORTED', { detail });
}

/** The media type of the data may be in either header. */
function dataTypeOf(named: IncomingHttpHeaders): string | undefined {
  const dataType = isBinaryMode(named) ? named['ce-datacontenttype'] : undefined;
  return dataType === undefined ? named['content-type'] : String(dataType);
}

function readBinary(named: IncomingHttpHeaders, body: Buffer, outline?: JsonNode): EventInput {
  const { 'ce-datacontenttype': dataType, ...headers } = named;
  if (dataType === undefined) return readBinaryEvent(headers, body, outline);
  return readBinaryEvent({ ...headers, 'content-type': String(dataType) }, body, outline);
}

function readBare(
  named: IncomingHttpHeaders,
  body: Buffer,
  type: string,
  outline?: JsonNode,
): EventInput {
  const faults: FieldError[] = [];
  const contentType = named['content-type'];
  const raw = { type, id: named['nats-msg-id'], datacontenttype: contentType };
  const attributes = checkAttributes(raw, '/', faults);
  const at = '#header/posthorn-priority';
  const priority = checkPriority(named['posthorn-priority'], at, faults);
  refuse(faults);
  return { ...attributes, ...priority, ...readPayloadBytes(contentType, body, outline) };
}
