import type { MsgHdrs } from '@nats-io/nats-core';

/** A message to publish to a stream. */
export interface Publication {
  subject: string;
  payload: Uint8Array;
  /** `Nats-Msg-Id`. No CR or LF. */
  messageId: string;
  /**
   * How long to try, in milliseconds; `Infinity` if the caller keeps the message until it is
   * stored.
   */
  timeoutMs: number;
  /**
   * Store it as a schedule: the server publishes it to `target` at `atMs` (nats-server, ADR-51).
   */
  schedule?: { atMs: number; target: string };
  /**
   * Removes the schedule that waits under `subject` in the same step. Refused (`wrongLastSequence`)
   * if the last message is no longer `seq`: the schedule has fired, or was replaced.
   */
  cancels?: { subject: string; seq: number };
  /** The server removes the message after this time (nats-server, ADR-43). */
  ttlSeconds?: number;
  /**
   * Stored only if this is the last sequence of the subject (0: the subject is empty), else
   * refused.
   */
  expectedSeq?: number;
  /**
   * Refused immediately if the stream or the server is full, not at the time limit. For
   * messages whose producer has no answer yet.
   */
  failsWhenFull?: true;
}

/**
 * NATS.js reads only the encoded bytes of a headers object. Its own builder canonicalises each
 * name, for 1.5 us; our names are canonical as written.
 */
class EncodedHeaders {
  private readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  encode(): Uint8Array {
    return Buffer.from(this.text);
  }
}

/** The headers of a publication, as bytes. */
export function headersOf(publication: Publication): MsgHdrs {
  let text = `NATS/1.0\r\nNats-Msg-Id: ${publication.messageId}\r\n`;
  const { schedule, cancels, ttlSeconds, expectedSeq } = publication;
  if (schedule !== undefined) {
    const at = new Date(schedule.atMs).toISOString();
    text += `Nats-Schedule: @at ${at}\r\nNats-Schedule-Target: ${schedule.target}\r\n`;
  }
  if (cancels !== undefined) {
    text += `Nats-Scheduler: ${cancels.subject}\r\nNats-Schedule-Next: purge\r\n`;
    text += `Nats-Expected-Last-Subject-Sequence: ${cancels.seq}\r\n`;
    text += `Nats-Expected-Last-Subject-Sequence-Subject: ${cancels.subject}\r\n`;
  }
  if (ttlSeconds !== undefined) text += `Nats-TTL: ${ttlSeconds}\r\n`;
  if (expectedSeq !== undefined) {
    text += `Nats-Expected-Last-Subject-Sequence: ${expectedSeq}\r\n`;
  }
  return new EncodedHeaders(`${text}\r\n`) as unknown as MsgHdrs;
}
