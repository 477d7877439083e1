/**
 * CloudEvents 1.0.2, the JSON format: structured and batched mode
 * (https://github.com/cloudevents/spec, formats/json-format.md).
 */
import type { FieldError } from '#domain/errors.ts';
import { isJsonType, isWritableAsUtf8 } from '#domain/event/media-type.ts';
import {
  type EventInput,
  NOT_UNICODE,
  checkAttributes,
  checkPriority,
  refuse,
} from './event-input.ts';
import {
  type JsonObject,
  type Payload,
  attributeValues,
  isGiven,
  jsonData,
  stringValue,
} from './json-object.ts';
import { ATTRIBUTES, requireAttributes } from './cloudevent-attributes.ts';
import { Extensions, PRIORITY } from './cloudevent-extensions.ts';

/** @throws PosthornError POSTHORN_EVENT_INVALID */
export function readCloudEvent(object: JsonObject): EventInput {
  const { at } = object;
  const value = withoutNulls(attributeValues(object));
  const faults: FieldError[] = [];
  requireAttributes(value, at, faults);
  const attributes = checkAttributes(value, at, faults, 'source');
  const extensions = new Extensions(at, faults);
  for (const [name, extension] of Object.entries(value)) {
    if (ATTRIBUTES.has(name)) continue;
    extensions.add(name, extension);
  }
  const priority = checkPriority(extensions.priority, at + PRIORITY, faults);
  const payload = readPayload(object, attributes.contentType, faults);
  refuse(faults);
  return { ...attributes, ...priority, ...payload, ...extensions.ext };
}

/** JSON format, section 2.2: an attribute with the value null is absent. */
function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}

/**
 * JSON format, section 3.1: `datacontenttype` decides how `data` is encoded. A null `data_base64`
 * is absent, like an attribute; a null `data` is JSON's `null`, unless `data_base64` is present.
 */
function readPayload(
  object: JsonObject,
  contentType: string | undefined,
  faults: FieldError[],
): Payload {
  const { at } = object;
  if (isGiven(object, 'data_base64')) {
    const pointer = `${at}data_base64`;
    const text = stringValue(object, 'data_base64');
    if (isGiven(object, 'data'))
      faults.push({ pointer, detail: 'must be absent if data is present' });
    else if (typeof text !== 'string' || !isBase64(text)) {
      faults.push({ pointer, detail: 'must be base64' });
    } else return { kind: 'binary', data: Buffer.from(text, 'base64') };
  }
  const data =
    contentType === undefined || isJsonType(contentType) ? undefined : stringValue(object, 'data');
  if (contentType !== undefined && typeof data === 'string') {
    if (!data.isWellFormed()) faults.push({ pointer: `${at}data`, detail: NOT_UNICODE });
    checkCharset(contentType, data, at, faults);
    return { kind: 'text', data };
  }
  const json = jsonData(object, faults);
  if (contentType !== undefined) checkCharset(contentType, json.data, at, faults);
  return json;
}

/** Binary mode sends text as UTF-8, so another charset would describe the bytes wrongly. */
function checkCharset(
  contentType: string,
  text: string | Buffer,
  at: string,
  faults: FieldError[],
): void {
  // For bytes, too, only ASCII or not matters.
  if (isWritableAsUtf8(contentType, text.toString('latin1'))) return;
  const detail = 'must name no charset other than UTF-8 for text or JSON; use data_base64';
  faults.push({ pointer: `${at}datacontenttype`, detail });
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
