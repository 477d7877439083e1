/**
 * Records for the history (DL-12), written by the router and the workers. They are batched and
 * published to ATT-k as one message (a JSON array); the projector writes them to MongoDB. Applying
 * a record twice, or two records in the wrong order, gives the same history: see
 * `control/projector/merge.ts`.
 */
import type { AttemptFailureKind, DeliveryStatus } from '#domain/outcome/delivery.ts';
import type { ReplayLink } from './delivery-frame.ts';

/** An event was routed to these endpoints. */
export interface RoutedRecord {
  k: 'routed';
  tenant: string;
  event: string;
  /** RFC 3339 time the event was accepted, for expiry and order. */
  acceptedMs: number;
  type: string;
  /** Of a large fan-out, whose deliveries come in several records: their total number. */
  total?: number;
  deliveries: RoutedDelivery[];
}

export interface RoutedDelivery {
  id: string;
  endpoint: string;
  status: 'pending' | 'held';
  /** As in the delivery's head. */
  sequence?: number;
}

/** A delivery was attempted, held, cancelled or dead-lettered. */
export interface DeliveryRecord extends ReplayLink {
  k: 'delivery';
  tenant: string;
  event: string;
  type: string;
  acceptedMs: number;
  id: string;
  endpoint: string;
  /** As in the delivery's head; the record with the higher hop is newer. */
  hop: number;
  status: DeliveryStatus;
  /** Why it is `failed`, `held` or `cancelled`. */
  reason?: string;
  nextAttemptMs?: number;
  attempt?: AttemptRecord;
}

export interface AttemptRecord {
  id: string;
  no: number;
  startedMs: number;
  durationMs: number;
  /** The HTTP status, if there was an answer. */
  status?: number;
  failure?: AttemptFailureKind;
  /** Why it failed, a fault of the answer's body, and whether the request was sent twice. */
  detail?: string;
  /** When the request was sent again, after a kept-alive connection closed without a byte. */
  repeatedMs?: number;
  responseHeaders?: Record<string, string>;
  /** First bytes of the response (`limits.responseBodyKeptBytesMax`); base64 if not UTF-8. */
  responseBody?: string;
  responseBodyEncoding?: 'base64';
  worker: string;
}

/** The receiver answered 410: control disables the endpoint, unless it has changed since. */
export interface EndpointGoneRecord {
  k: 'endpoint-gone';
  tenant: string;
  endpoint: string;
  url: string;
}

export type HistoryRecord = RoutedRecord | DeliveryRecord | EndpointGoneRecord;

/** Encodes one record for a message. */
export function encodeRecord(record: HistoryRecord): string {
  return JSON.stringify(record);
}

/** Joins encoded records into a message. */
export function encodeRecords(encoded: readonly string[]): Buffer {
  return Buffer.from(`[${encoded.join(',')}]`);
}

/** Decodes the records of one message of ATT-k. */
export function decodeRecords(bytes: Uint8Array): HistoryRecord[] {
  return JSON.parse(
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(),
  ) as HistoryRecord[];
}
