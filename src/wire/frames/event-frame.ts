/**
 * The format of an event in EV-k, and inside a delivery in DLV-k: one line of JSON with the
 * attributes, a line feed, then the bytes of `data` as the producer sent them. ADR 0003 explains
 * why it is a line and not NATS headers.
 *
 * `{"id":"evt_…","type":"order.created",…}\n{"amount":12.50}`
 */
import type { Priority } from '#domain/event/priority.ts';

/** The kind of bytes in `data`: JSON text as sent, other text, or anything. */
export type DataKind = 'json' | 'text' | 'binary';

/**
 * Value of a CloudEvents extension attribute. In binary mode every value is a string, as HTTP
 * headers have no types.
 */
export type ExtensionValue = string | number | boolean;

/** Reference to `data` in the payload store, outside the frame (IN-12). */
export interface PayloadRef {
  /** `<owner>/<payload id>` (`payload-link.ts`) */
  key: string;
  /** Bytes. */
  size: number;
  /** In hex. */
  sha256: string;
}

/**
 * CloudEvents 1.0 attributes and ingress's own. Names are short, as they travel with each event.
 */
export interface EventHead {
  /** Unique in its tenant; sent as `webhook-id`. */
  id: string;
  /** The id of the CloudEvent, if `id` is a digest of it and its source. */
  producerId?: string;
  type: string;
  source: string;
  /** RFC 3339 */
  time: string;
  subject?: string;
  dataschema?: string;
  /** As the producer named it; absent: application/json. */
  contentType?: string;
  kind: DataKind;
  /** Absent: normal. */
  priority?: Priority;
  /** The event has no `data`. Its bytes are then JSON's `null`, which older readers send. */
  noData?: true;
  /** CloudEvents extension attributes. */
  ext?: Record<string, ExtensionValue>;
  /** When ingress accepted it, milliseconds since 1970. */
  acceptedMs: number;
  /** Correlation id of the producer's request. */
  correlationId: string;
  /** `traceparent` for later steps: the publication's span, or the producer's own. */
  trace?: string;
  /** SHA-256 of the content (base64url), for an id that the caller chose (IN-6). */
  fingerprint?: string;
  /** Id of the API key that is bound to no tenant, if the type was not registered then. */
  producerKey?: string;
  /** The event was published to every tenant (RT-5). */
  broadcast?: true;
  /** Location of `data`; the line is then not followed by bytes. */
  payload?: PayloadRef;
}

/** The media type of `data`. */
export function dataMediaType({ contentType, kind }: EventHead): string {
  if (contentType !== undefined) return contentType;
  return kind === 'json' ? 'application/json' : 'application/octet-stream';
}

const LF = 10;

/** Encodes a line of JSON, then the bytes of `data` as received. */
export function encodeEventFrame(head: EventHead, data: Uint8Array | string): Buffer {
  if (typeof data === 'string') return Buffer.from(`${JSON.stringify(head)}\n${data}`);
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), data]);
}

export interface EventFrame {
  head: EventHead;
  data: Buffer;
  /** The whole frame, head and data. */
  bytes: Buffer;
}

/** @throws SyntaxError if the bytes are not a frame */
export function decodeEventFrame(bytes: Uint8Array): EventFrame {
  const buffer = asBuffer(bytes);
  const end = buffer.indexOf(LF);
  if (end < 0) throw new SyntaxError('an event frame has no line feed');
  const head = JSON.parse(buffer.toString('utf8', 0, end)) as EventHead | null;
  if (typeof head?.id !== 'string') throw new SyntaxError('an event frame has no head');
  return {
    head,
    data: buffer.subarray(end + 1),
    bytes: buffer,
  };
}

/** Returns the same memory as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
