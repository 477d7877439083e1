/** Renders the body and the content headers of a webhook, in its endpoint's format (DL-4). */
import type { BodyFormat } from '#domain/endpoint/endpoint.ts';
import {
  type EventFrame,
  type EventHead,
  type ExtensionValue,
  type PayloadRef,
  dataMediaType,
} from '../frames/event-frame.ts';
import type { PayloadLink } from './payload-link.ts';

/** An event to send; with `link`, its `data` is behind that link, made for this attempt (IN-12). */
export interface OutboundEvent extends EventFrame {
  link?: PayloadLink;
}

export interface WebhookBody {
  body: Buffer;
  /** Absent: an event without data and without a content type. */
  contentType?: string;
  /** Further headers: the attributes of a binary CloudEvent. */
  headers: Record<string, string>;
}

/**
 * Renders an event. JSON `data` keeps the bytes received: it is spliced, never parsed and
 * serialized again, so that big numbers, escapes and the order of keys survive.
 */
export function renderWebhook(format: BodyFormat, frame: OutboundEvent): WebhookBody {
  if (frame.link !== undefined) return renderLink(format, frame.head, frame.link);
  switch (format) {
    case 'standard':
      return json(standardEnvelope(frame));
    case 'cloudevents-structured':
      return {
        body: structured(frame),
        contentType: STRUCTURED,
        headers: {},
      };
    case 'cloudevents-binary':
      return { ...bare(frame), headers: binaryHeaders(frame.head, frame.head.ext) };
    case 'data':
      return bare(frame);
  }
}

/**
 * Renders a reference instead of `data`. CloudEvents have an attribute for it, `dataref` (extension
 * "Dataref (Claim Check Pattern)", https://github.com/cloudevents/spec,
 * cloudevents/extensions/dataref.md).
 */
function renderLink(format: BodyFormat, head: EventHead, link: PayloadLink): WebhookBody {
  const marked = { 'posthorn-payload': 'url' };
  const { size, sha256 } = head.payload as PayloadRef;
  const expiresAt = new Date(link.expiresAtMs).toISOString();
  const facts = {
    data_url: link.url,
    expires_at: expiresAt,
    size,
    sha256,
    content_type: dataMediaType(head),
  };
  const ext = {
    ...head.ext,
    dataref: link.url,
    datarefexpires: expiresAt,
    datarefsize: String(size),
    datarefsha256: sha256,
  };
  switch (format) {
    case 'standard': {
      const { type, time } = head;
      const body = Buffer.from(JSON.stringify({ type, timestamp: time, ...facts }));
      return { ...json(body), headers: marked };
    }
    case 'data':
      return { ...json(Buffer.from(JSON.stringify(facts))), headers: marked };
    case 'cloudevents-structured':
      return {
        body: Buffer.from(attributesJson(head, ext)),
        contentType: STRUCTURED,
        headers: marked,
      };
    case 'cloudevents-binary':
      return {
        body: Buffer.alloc(0),
        contentType: dataMediaType(head),
        headers: { ...binaryHeaders(head, ext), ...marked },
      };
  }
}

const STRUCTURED = 'application/cloudevents+json; charset=utf-8';

function json(body: Buffer): WebhookBody {
  return { body, contentType: 'application/json', headers: {} };
}

function bare({ head, data }: EventFrame): WebhookBody {
  if (head.noData !== true) return { body: data, contentType: dataMediaType(head), headers: {} };
  const { contentType } = head;
  return {
    body: Buffer.alloc(0),
    ...(contentType === undefined ? {} : { contentType }),
    headers: {},
  };
}

/** `{"type", "timestamp", "data"}` (Standard Webhooks, "payload structure"). */
function standardEnvelope({ head, data }: EventFrame): Buffer {
  const { type, time: timestamp } = head;
  return splice(JSON.stringify({ type, timestamp }), head, data);
}

function structured({ head, data }: EventFrame): Buffer {
  return splice(attributesJson(head, head.ext), head, data);
}

function attributesJson(head: EventHead, ext: Record<string, ExtensionValue> = {}): string {
  const { source, type, time, subject, dataschema, contentType } = head;
  return JSON.stringify({
    specversion: '1.0',
    id: cloudEventIdOf(head),
    source,
    type,
    time,
    subject,
    dataschema,
    // Absent is JSON in this format (JSON format, section 3.1), and stays absent.
    datacontenttype: contentType,
    ...ext,
  });
}

function cloudEventIdOf({ id, producerId }: EventHead): string {
  return producerId ?? id;
}

/** Adds `data` (or `data_base64`) as the object's last member; unchanged if there is no data. */
function splice(object: string, head: EventHead, data: Buffer): Buffer {
  if (head.noData === true) return Buffer.from(object);
  const open = `${object.slice(0, -1)},`;
  if (head.kind === 'text') return Buffer.from(`${open}"data":${JSON.stringify(data.toString())}}`);
  if (head.kind === 'binary') {
    return Buffer.from(`${open}"data_base64":"${data.toString('base64')}"}`);
  }
  const body = Buffer.allocUnsafe(Buffer.byteLength(open) + DATA.length + data.length + 1);
  const at = body.write(open) + DATA.copy(body, body.length - data.length - 1 - DATA.length);
  data.copy(body, at);
  body[body.length - 1] = CLOSE;
  return body;
}

const DATA = Buffer.from('"data":');
const CLOSE = '}'.charCodeAt(0);

/** CloudEvents HTTP binding 1.0.2, section 3.1.3: values are percent-encoded if not plain. */
function binaryHeaders(
  head: EventHead,
  ext: Record<string, ExtensionValue> = {},
): Record<string, string> {
  const headers: Record<string, string> = {
    'ce-specversion': '1.0',
    'ce-id': encode(cloudEventIdOf(head)),
    'ce-source': encode(head.source),
    'ce-type': encode(head.type),
    'ce-time': encode(head.time),
  };
  if (head.subject !== undefined) headers['ce-subject'] = encode(head.subject);
  if (head.dataschema !== undefined) headers['ce-dataschema'] = encode(head.dataschema);
  for (const [name, value] of Object.entries(ext)) headers[`ce-${name}`] = encode(String(value));
  return headers;
}

function encode(value: string): string {
  return /^[\x21\x23\x24\x26-\x7e]*$/.test(value)
    ? value
    : value.replace(/[^\x21\x23\x24\x26-\x7e]+/g, (run) =>
        [...Buffer.from(run)]
          .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
          .join(''),
      );
}
