/** The body and the content headers of a webhook, in the format that its endpoint asked for (DL-4). */
import type { BodyFormat } from '#domain/endpoint.ts';
import type { EventFrame, EventHead } from './event-frame.ts';

export interface WebhookBody {
  body: Buffer;
  contentType: string;
  /** Further headers: the attributes of a binary CloudEvent. */
  headers: Record<string, string>;
}

/**
 * Renders an event. JSON `data` goes out as the bytes that came in: it is spliced, never parsed and written
 * again, so that big numbers, escapes and the order of keys survive.
 */
export function renderWebhook(format: BodyFormat, frame: EventFrame): WebhookBody {
  switch (format) {
    case 'standard':
      return json(standardEnvelope(frame));
    case 'cloudevents-structured':
      return {
        body: structured(frame),
        contentType: 'application/cloudevents+json; charset=utf-8',
        headers: {},
      };
    case 'cloudevents-binary':
      return { ...bare(frame), headers: binaryHeaders(frame.head) };
    case 'data':
      return bare(frame);
  }
}

function json(body: Buffer): WebhookBody {
  return { body, contentType: 'application/json', headers: {} };
}

function bare(frame: EventFrame): WebhookBody {
  return {
    body: frame.data,
    contentType: frame.head.contentType ?? 'application/json',
    headers: {},
  };
}

/** `{"type", "timestamp", "data"}` (Standard Webhooks, "payload structure"). */
function standardEnvelope({ head, data }: EventFrame): Buffer {
  const open = `{"type":"${head.type}","timestamp":"${head.time}",`;
  return splice(open, head, data);
}

function structured({ head, data }: EventFrame): Buffer {
  const { id, source, type, time, subject, dataschema, contentType } = head;
  const attributes = JSON.stringify({
    specversion: '1.0',
    id,
    source,
    type,
    time,
    subject,
    dataschema,
    datacontenttype: contentType ?? (head.kind === 'json' ? 'application/json' : undefined),
    ...head.ext,
  });
  return splice(`${attributes.slice(0, -1)},`, head, data);
}

/** Closes an object with `data` (or `data_base64`) as its last member. */
function splice(open: string, head: EventHead, data: Buffer): Buffer {
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

/** CloudEvents HTTP binding 1.0.2, section 3.1.3: values are percent-encoded where they are not plain. */
function binaryHeaders(head: EventHead): Record<string, string> {
  const headers: Record<string, string> = {
    'ce-specversion': '1.0',
    'ce-id': encode(head.id),
    'ce-source': encode(head.source),
    'ce-type': encode(head.type),
    'ce-time': encode(head.time),
  };
  if (head.subject !== undefined) headers['ce-subject'] = encode(head.subject);
  if (head.dataschema !== undefined) headers['ce-dataschema'] = encode(head.dataschema);
  for (const [name, value] of Object.entries(head.ext ?? {})) headers[`ce-${name}`] = encode(value);
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
