import { isUtf8 } from 'node:buffer';
import type { FieldError } from '#domain/errors.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import { isJsonType, isTextType } from '#domain/event/media-type.ts';
import { checkJsonCharset } from '#infra/http/server/body/body-headers.ts';
import { refuse } from '#wire/published/event-input.ts';
import { NO_DATA, type Payload, checkDataDepth, jsonText } from '#wire/published/json-object.ts';
import { scan } from '#wire/published/scan-body.ts';

/**
 * Reads `data` from the bytes of a body, by its media type; an empty body is an event without data.
 *
 * @param outline of a JSON body that was scanned before
 * @throws PosthornError POSTHORN_BODY_INVALID, POSTHORN_EVENT_INVALID,
 * POSTHORN_MEDIA_TYPE_UNSUPPORTED
 */
export function readPayloadBytes(
  contentType: string | undefined,
  body: Buffer,
  outline?: JsonNode,
): Payload {
  if (body.length === 0) return NO_DATA;
  if (isJsonPayload(contentType)) {
    if (contentType !== undefined) checkJsonCharset(contentType);
    return jsonPayload(body, outline ?? scan(body));
  }
  if (isTextType(contentType as string) && isUtf8(body)) {
    return { kind: 'text', data: body.toString() };
  }
  return { kind: 'binary', data: body };
}

/** Whether `data` of this media type is JSON. */
export function isJsonPayload(contentType: string | undefined): boolean {
  return contentType === undefined || isJsonType(contentType);
}

/** Surrounding white space belongs to the payload and is kept. */
function jsonPayload(body: Buffer, outline: JsonNode): Payload {
  const faults: FieldError[] = [];
  checkDataDepth(outline, '', faults);
  refuse(faults);
  return { kind: 'json', data: jsonText(body, { start: 0, end: body.length }) };
}
