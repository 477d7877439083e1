import { isUtf8 } from 'node:buffer';
import type { AttemptRecord } from '#wire/frames/record.ts';
import { SEQUENCE_HEADER, SEQUENCE_SIGNATURE_HEADER } from '#wire/webhook/sequence-headers.ts';
import { type OutboundEvent, renderWebhook } from '#wire/webhook/webhook-request.ts';
import type { AttemptFailureKind } from '#domain/outcome/delivery.ts';
import { limits } from '#domain/limits.ts';
import { newId } from '#domain/ids.ts';
import type { SendRequest, SendResult } from '#infra/http/client/sender.ts';
import { type EndpointTarget, sequenceSignatures, signatures } from './endpoint-target.ts';

/**
 * Builds the request of one attempt: the body in the endpoint's format, signed over the exact bytes
 * sent, with the time of the attempt (Standard Webhooks, "webhook-timestamp").
 *
 * @param sequence the number of the delivery, of a sequenced endpoint
 */
export function webhookRequest(
  target: EndpointTarget,
  event: OutboundEvent,
  nowMs: number,
  traceparent?: string,
  sequence?: number,
): Omit<SendRequest, 'signal'> {
  const { body, contentType, headers } = renderWebhook(target.format, event);
  const timestamp = Math.floor(nowMs / 1000);
  const { id } = event.head;
  const list = [...target.fixedHeaders];
  if (contentType !== undefined) list.push('content-type', contentType);
  list.push('webhook-id', id, 'webhook-timestamp', String(timestamp));
  list.push('webhook-signature', signatures(target, id, timestamp, body));
  if (traceparent !== undefined && target.snapshot.propagateTrace === true) {
    list.push('traceparent', traceparent);
  }
  // An endpoint that is no longer sequenced has no signers of numbers.
  if (sequence !== undefined && target.snapshot.sequenced === true) {
    list.push(SEQUENCE_HEADER, String(sequence));
    list.push(SEQUENCE_SIGNATURE_HEADER, sequenceSignatures(target, id, timestamp, sequence));
  }
  for (const name in headers) list.push(name, headers[name] as string);
  return { path: target.url.path, headers: list, body };
}

/**
 * Builds the history's record of an attempt (DL-12).
 *
 * @param repeatedMs when the request was sent a second time
 */
export function attemptRecord(
  no: number,
  worker: string,
  startedMs: number,
  durationMs: number,
  result: SendResult,
  repeatedMs?: number,
): AttemptRecord {
  const { outcome } = result;
  const record: AttemptRecord = {
    id: newId('att', startedMs),
    no,
    startedMs,
    durationMs: Math.round(durationMs * 100) / 100,
    worker,
  };
  if (outcome.status !== undefined) record.status = outcome.status;
  if (!outcome.ok) record.failure = outcome.kind;
  const details = [outcome.ok ? undefined : outcome.detail, result.note];
  if (repeatedMs !== undefined) {
    record.repeatedMs = repeatedMs;
    details.push(REPEATED);
  }
  const detail = details.filter((text) => text !== undefined).join('; ');
  if (detail !== '') record.detail = detail;
  if (result.responseHeaders !== undefined) {
    record.responseHeaders = keptHeaders(result.responseHeaders);
  }
  if (result.responseBody.length > 0) keepBody(record, result.responseBody);
  return record;
}

const REPEATED = 'sent twice: the reused connection was closed before any byte of a response';

function keptHeaders(headers: NonNullable<SendResult['responseHeaders']>): Record<string, string> {
  const kept: Record<string, string> = {};
  let count = 0;
  for (const name in headers) {
    // MongoDB gives dots and dollar signs in field names a special meaning.
    if (!/^[a-z0-9-]+$/i.test(name)) continue;
    if (++count > limits.responseHeadersKeptMax) break;
    const value = headers[name];
    const text = Array.isArray(value) ? value.join(', ') : (value ?? '');
    kept[name] = text.slice(0, limits.responseHeaderValueKeptLengthMax);
  }
  return kept;
}

function keepBody(record: AttemptRecord, body: Buffer): void {
  const whole = withoutCutCharacter(body);
  if (isUtf8(whole)) {
    record.responseBody = whole.toString();
  } else {
    record.responseBody = body.toString('base64');
    record.responseBodyEncoding = 'base64';
  }
}

/**
 * Drops an incomplete UTF-8 character at the end: the cut at 4 KiB may split one of up to 4 bytes.
 */
function withoutCutCharacter(body: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, body.length); back++) {
    const byte = body[body.length - back] as number;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? body.subarray(0, body.length - back) : body;
  }
  return body;
}

/** Result of an attempt that was not sent because its credentials could not be obtained. */
export function credentialsFailed(detail: string, retryAfterMs: number | undefined): SendResult {
  return unsent('credentials_failed', detail, retryAfterMs);
}

/** Result of an attempt that was not sent. */
export function unsent(
  kind: AttemptFailureKind,
  detail: string,
  retryAfterMs?: number,
): SendResult {
  return {
    outcome: { ok: false, kind, status: undefined, detail, retryAfterMs },
    note: undefined,
    repeatedAtMs: undefined,
    responseHeaders: undefined,
    responseBody: Buffer.alloc(0),
  };
}
