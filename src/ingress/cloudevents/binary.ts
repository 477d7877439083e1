/**
 * CloudEvents 1.0.2 in binary mode: attributes in `ce-` headers, `data` as the body
 * (https://github.com/cloudevents/spec, bindings/http-protocol-binding.md, section 3.1).
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { FieldError } from '#domain/errors.ts';
import { duplicateKey } from '#domain/field-faults.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import { unquote } from '#domain/event/media-type.ts';
import {
  type EventInput,
  checkAttributes,
  checkPriority,
  refuse,
} from '#wire/published/event-input.ts';
import { ATTRIBUTES, requireAttributes } from '#wire/published/cloudevent-attributes.ts';
import { Extensions, HEADERS_AT, PRIORITY } from '#wire/published/cloudevent-extensions.ts';
import { readPayloadBytes } from './payload-bytes.ts';

/** True for a request in binary mode: its attributes are headers. */
export function isBinaryMode(headers: IncomingHttpHeaders): boolean {
  return headers['ce-specversion'] !== undefined;
}

/**
 * Reads an event in binary mode. All attributes are strings, as headers have no types.
 *
 * @param outline of a JSON body that was scanned before
 * @throws PosthornError POSTHORN_EVENT_INVALID, POSTHORN_BODY_INVALID,
 * POSTHORN_MEDIA_TYPE_UNSUPPORTED
 */
export function readBinaryEvent(
  headers: IncomingHttpHeaders,
  body: Buffer,
  outline?: JsonNode,
): EventInput {
  const faults: FieldError[] = [];
  const raw: Record<string, unknown> = {};
  const at = HEADERS_AT;
  const extensions = new Extensions(at, faults);
  for (const header in headers) {
    if (!header.startsWith('ce-')) continue;
    const name = header.slice(3);
    const value = decodeHeader(String(headers[header]));
    if (value === undefined)
      faults.push({ pointer: at + name, detail: 'must be percent-encoded UTF-8' });
    else if (ATTRIBUTES.has(name) && name !== 'datacontenttype') raw[name] = value;
    else extensions.add(name, value);
  }
  requireAttributes(raw, at, faults);
  const contentType = headers['content-type'];
  if (contentType !== undefined) raw['datacontenttype'] = contentType;
  const attributes = checkAttributes(raw, at, faults, 'source');
  const priority = checkPriority(extensions.priority, at + PRIORITY, faults);
  refuse(faults);
  const payload = readPayloadBytes(contentType, body, outline);
  return { ...attributes, ...priority, ...payload, ...extensions.ext };
}

/**
 * Checks the headers of an HTTP request in binary mode. Node joins repeated headers with a comma
 * and decodes header bytes as Latin-1.
 *
 * @param rawHeaders names and values, alternating
 * @throws PosthornError POSTHORN_EVENT_INVALID
 */
export function checkRawHeaders(rawHeaders: readonly string[]): void {
  const faults: FieldError[] = [];
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!name.startsWith('ce-')) continue;
    const pointer = `#header/${name}`;
    if (seen.has(name)) faults.push(duplicateKey('#header', name));
    seen.add(name);
    // oxlint-disable-next-line no-control-regex -- the whole of ASCII is meant
    if (!/^[\u0000-\u007f]*$/.test(rawHeaders[i + 1] as string)) {
      faults.push({ pointer, detail: 'must be percent-encoded if it is not ASCII' });
    }
  }
  refuse(faults);
}

/** Section 3.1.3.2: a quoted string is unescaped, then percent-decoded once. */
function decodeHeader(value: string): string | undefined {
  const text = unquote(value);
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
