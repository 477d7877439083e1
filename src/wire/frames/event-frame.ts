/**
 * The form of an event in EV-k, and inside a delivery in DLV-k: one line of JSON with the attributes, a
 * line feed, then the bytes of `data` as the producer sent them (ADR 0003: why a line and not NATS headers).
 *
 *     {"id":"evt_…","type":"order.created",…}\n{"amount":12.50}
 */
import type { Priority } from '#domain/event/priority.ts';

/** What the bytes of `data` are: JSON text as sent, other text, or anything. */
export type DataKind = 'json' | 'text' | 'binary';

/**
 * Value of a CloudEvents extension attribute. In binary mode every value is a string: HTTP headers
 * have no types.
 */
export type ExtensionValue = string | number | boolean;

/** `data` that is not in the frame but in the store of payloads (IN-12). */
export interface PayloadRef {
  /** `<owner>/<payload id>` (`payload-link.ts`) */
  key: string;
  /** Bytes. */
  size: number;
  /** In hex. */
  sha256: string;
}

/** CloudEvents 1.0 attributes and what ingress adds. Short names, as they travel with every event. */
export interface EventHead {
  /** Unique in its tenant; sent as `webhook-id`. */
  id: string;
  /** The id of the CloudEvent, where `id` is a digest of it and its source. */
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
  /** The event has no `data`. Its bytes are JSON's `null` then, which older readers send. */
  noData?: true;
  /** CloudEvents extension attributes. */
  ext?: Record<string, ExtensionValue>;
  /** When ingress accepted it, milliseconds since 1970. */
  acceptedMs: number;
  /** Correlation id of the producer's request. */
  correlationId: string;
  /** `traceparent` of what follows: the span of the publication, or what the producer said. */
  trace?: string;
  /** SHA-256 of the content (base64url), for an id that the caller chose (IN-6). */
  fingerprint?: string;
  /** It goes, or came, to every tenant (RT-5). */
  broadcast?: true;
  /** Where `data` is; nothing stands behind the line then. */
  payload?: PayloadRef;
}

/** The media type of `data`. */
export function dataMediaType({ contentType, kind }: EventHead): string {
  if (contentType !== undefined) return contentType;
  return kind === 'json' ? 'application/json' : 'application/octet-stream';
}

const LF = 10;

/** A line of JSON, then the bytes of `data` as they came. */
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

/** @throws SyntaxError where the bytes are not a frame */
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

/** The same memory as a Buffer: no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
