/** The documents of attempts (ADR 0037), one for each request to an endpoint. */
import type { Collection, Db } from 'mongodb';
import type { AttemptFailureKind } from '#domain/outcome/delivery.ts';
import type { AttemptRecord, DeliveryRecord } from '#wire/frames/record.ts';

/** An attempt is written once and never changes. */
export interface AttemptDocument {
  /** Attempt id. */
  _id: string;
  /** Life id. */
  tenant: string;
  delivery: string;
  event: string;
  endpoint: string;
  type: string;
  /** When the event was accepted: an attempt expires together with its event and delivery. */
  accepted_at: Date;
  /** Number of the attempt in its delivery, from 1. */
  no: number;
  started_at: Date;
  duration_ms: number;
  /** HTTP status of the response; absent: there was none. */
  response_status?: number;
  /** Absent: the attempt succeeded. */
  failure?: AttemptFailureKind;
  detail?: string;
  repeated_at?: Date;
  response_headers?: Record<string, string>;
  response_body?: string;
  response_body_encoding?: 'base64';
  worker: string;
}

export function attemptsOf(db: Db): Collection<AttemptDocument> {
  return db.collection('attempts');
}

/** Returns the document of the attempt that a record reports. */
export function attemptDocument(
  { tenant, id, event, endpoint, type, acceptedMs }: DeliveryRecord,
  attempt: AttemptRecord,
): AttemptDocument {
  const document: AttemptDocument = {
    _id: attempt.id,
    tenant,
    delivery: id,
    event,
    endpoint,
    type,
    accepted_at: new Date(acceptedMs),
    no: attempt.no,
    started_at: new Date(attempt.startedMs),
    duration_ms: attempt.durationMs,
    worker: attempt.worker,
  };
  const { status, failure, detail, repeatedMs } = attempt;
  if (status !== undefined) document.response_status = status;
  if (failure !== undefined) document.failure = failure;
  if (detail !== undefined) document.detail = detail;
  if (repeatedMs !== undefined) document.repeated_at = new Date(repeatedMs);
  const { responseHeaders, responseBody, responseBodyEncoding } = attempt;
  if (responseHeaders !== undefined) document.response_headers = responseHeaders;
  if (responseBody !== undefined) document.response_body = responseBody;
  if (responseBodyEncoding !== undefined) document.response_body_encoding = responseBodyEncoding;
  return document;
}
