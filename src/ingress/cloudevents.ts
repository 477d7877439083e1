/**
 * CloudEvents 1.0.2: the JSON format (structured and batched mode) and the binary mode of the HTTP binding
 * (https://github.com/cloudevents/spec, formats/json-format.md, bindings/http-protocol-binding.md).
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { FieldError } from '#domain/errors.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';
import { isJsonType, isTextType, isWritableAsUtf8 } from '#domain/media-type.ts';
import { checkJsonCharset } from '#infra/http/body/body-headers.ts';
import {
  type EventInput,
  NOT_UNICODE,
  checkAttributes,
  checkPriority,
  refuse,
} from './event-input.ts';
import {
  type JsonObject,
  attributeValues,
  checkDataDepth,
  jsonData,
  jsonText,
  stringValue,
} from './json-object.ts';
import { scan } from './scan-body.ts';

const ATTRIBUTES = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'datacontenttype',
  'dataschema',
  'subject',
  'time',
]);

/** In binary mode the body is the data, and its media type the header `content-type`. */
const RESERVED = new Set(['data', 'datacontenttype']);
/** Our extension attribute: `high` or `normal` (IN-11). */
const PRIORITY = 'posthornpriority';
const HEADERS_AT = '#header/ce-';

/** @throws PosthornError POSTHORN_EVENT_INVALID */
export function readCloudEvent(object: JsonObject): EventInput {
  const { at } = object;
  const value = withoutNulls(attributeValues(object));
  const faults: FieldError[] = [];
  requireAttributes(value, at, faults);
  const attributes = checkAttributes(value, at, faults);
  const ext: Record<string, string> = {};
  for (const [name, extension] of Object.entries(value)) {
    if (ATTRIBUTES.has(name)) continue;
    addExtension(ext, name, extension, at, faults);
  }
  const priority = checkPriority(ext[PRIORITY], at + PRIORITY, faults);
  const payload = readPayload(object, attributes.contentType, faults);
  refuse(faults);
  const event: EventInput = { ...attributes, ...priority, ...payload };
  if (Object.keys(ext).length > 0) event.ext = ext;
  return event;
}

/** JSON format, section 2.2: null means that an attribute is not there. */
function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}

export type Payload = Pick<EventInput, 'kind' | 'data'>;

/** JSON format, section 3.1: what `data` is depends on `datacontenttype`. */
function readPayload(
  object: JsonObject,
  contentType: string | undefined,
  faults: FieldError[],
): Payload {
  const { at, members } = object;
  if (members.has('data_base64')) {
    const text = stringValue(object, 'data_base64');
    if (members.has('data')) {
      faults.push({ pointer: `${at}data_base64`, detail: 'must not stand beside data' });
    } else if (typeof text !== 'string' || !isBase64(text)) {
      faults.push({ pointer: `${at}data_base64`, detail: 'must be base64' });
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
  if (contentType !== undefined) checkCharset(contentType, json, at, faults);
  return { kind: 'json', data: json };
}

/** Text leaves as UTF-8 in binary mode, where another charset would name the wrong bytes. */
function checkCharset(
  contentType: string,
  text: string | Buffer,
  at: string,
  faults: FieldError[],
): void {
  // Of bytes, too, only whether all are ASCII matters.
  if (isWritableAsUtf8(contentType, text.toString('latin1'))) return;
  const detail = 'must name no charset other than UTF-8 beside text or JSON; use data_base64';
  faults.push({ pointer: `${at}datacontenttype`, detail });
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

function requireAttributes(value: Record<string, unknown>, at: string, faults: FieldError[]): void {
  if (value['specversion'] !== '1.0') {
    faults.push({ pointer: `${at}specversion`, detail: 'must be "1.0"' });
  }
  for (const name of ['id', 'source']) {
    if (value[name] === undefined) faults.push({ pointer: at + name, detail: 'is required' });
  }
}

function addExtension(
  ext: Record<string, string>,
  name: string,
  value: unknown,
  at: string,
  faults: FieldError[],
): void {
  const pointer = at === HEADERS_AT ? at + name : childPointer(at.slice(0, -1), name);
  if (RESERVED.has(name)) faults.push({ pointer, detail: 'cannot be the name of an extension' });
  else if (!/^[a-z0-9]{1,20}$/.test(name)) {
    const detail = 'an extension is named by 1 to 20 lower-case letters and digits';
    faults.push({ pointer, detail });
  } else if (Object.keys(ext).length >= limits.eventExtensionsMax) {
    const detail = `at most ${limits.eventExtensionsMax} extensions are taken`;
    faults.push({ pointer, detail });
  } else if (typeof value === 'string' && !value.isWellFormed()) {
    faults.push({ pointer, detail: NOT_UNICODE });
  } else if (typeof value === 'string' && value.length <= limits.eventExtensionValueLengthMax) {
    ext[name] = value;
  } else if (typeof value === 'boolean' || (typeof value === 'number' && Number.isInteger(value))) {
    ext[name] = String(value);
  } else {
    const most = limits.eventExtensionValueLengthMax;
    const detail = `must be a boolean, an integer or a string of at most ${most} characters`;
    faults.push({ pointer, detail });
  }
}

/** True for a request in binary mode: its attributes are headers. */
export function isBinaryMode(headers: IncomingHttpHeaders): boolean {
  return headers['ce-specversion'] !== undefined;
}

/** @throws PosthornError POSTHORN_EVENT_INVALID, POSTHORN_BODY_INVALID */
export function readBinaryEvent(
  headers: IncomingHttpHeaders,
  body: Buffer,
  outline?: JsonNode,
): EventInput {
  const faults: FieldError[] = [];
  const raw: Record<string, unknown> = {};
  const ext: Record<string, string> = {};
  const at = HEADERS_AT;
  for (const header in headers) {
    if (!header.startsWith('ce-')) continue;
    const name = header.slice(3);
    const value = decodeHeader(String(headers[header]));
    if (value === undefined) faults.push({ pointer: at + name, detail: 'is not percent-encoded' });
    else if (ATTRIBUTES.has(name) && name !== 'datacontenttype') raw[name] = value;
    else addExtension(ext, name, value, at, faults);
  }
  requireAttributes(raw, at, faults);
  const contentType = headers['content-type'];
  if (contentType !== undefined) raw['datacontenttype'] = contentType;
  const attributes = checkAttributes(raw, at, faults);
  const priority = checkPriority(ext[PRIORITY], at + PRIORITY, faults);
  refuse(faults);
  const event: EventInput = {
    ...attributes,
    ...priority,
    ...readPayloadBytes(contentType, body, outline),
  };
  if (Object.keys(ext).length > 0) event.ext = ext;
  return event;
}

/**
 * `data` alone, by its media type; nothing is JSON's `null`.
 *
 * @param outline of a body of JSON that was read before
 * @throws PosthornError POSTHORN_BODY_INVALID, POSTHORN_EVENT_INVALID, POSTHORN_MEDIA_TYPE_UNSUPPORTED
 */
export function readPayloadBytes(
  contentType: string | undefined,
  body: Buffer,
  outline?: JsonNode,
): Payload {
  if (body.length === 0) return { kind: 'json', data: 'null' };
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

/** White space around it is a part of what was sent. */
function jsonPayload(body: Buffer, outline: JsonNode): Payload {
  const faults: FieldError[] = [];
  checkDataDepth(outline, '', faults);
  refuse(faults);
  return { kind: 'json', data: jsonText(body, { start: 0, end: body.length }) };
}

/** HTTP binding, section 3.1.3.2. */
function decodeHeader(value: string): string | undefined {
  const text = value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
