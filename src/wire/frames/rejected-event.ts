/**
 * The format of a message in REJECTED: one line of JSON with the error, then the first bytes of the
 * producer's message (`limits.rejectedBodyKeptBytesMax`).
 */
import { asBuffer } from './event-frame.ts';
import type { Problem } from '../problem.ts';

export interface RejectedHead {
  /** The request id, which the log also has. */
  id: string;
  /** The type in the subject, as the producer wrote it. */
  type: string;
  rejectedMs: number;
  /** Size of the whole message, of which only the beginning may be kept. */
  bytes: number;
  problem: Problem;
}

export interface RejectedFrame {
  head: RejectedHead;
  body: Buffer;
}

const LF = 10;

/** Encodes a line of JSON, then the producer's bytes. */
export function encodeRejectedFrame(head: RejectedHead, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

/** @throws SyntaxError if the bytes are not a frame */
export function decodeRejectedFrame(bytes: Uint8Array): RejectedFrame {
  const buffer = asBuffer(bytes);
  const end = buffer.indexOf(LF);
  if (end < 0) throw new SyntaxError('a rejected event has no line feed');
  const head = JSON.parse(buffer.toString('utf8', 0, end)) as RejectedHead;
  return { head, body: buffer.subarray(end + 1) };
}
