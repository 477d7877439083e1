/**
 * A request of control to any delivery worker: send one event to one endpoint now, outside the
 * streams, and answer with the result (CT-2). Sent over core NATS to `subjects.endpointRequests`: a
 * line of JSON, a line feed, then the frame of the event.
 */
import { type EventFrame, asBuffer, decodeEventFrame } from './frames/event-frame.ts';
import type { AttemptRecord } from './frames/record.ts';

export interface EndpointRequestHead {
  /** Life id. */
  tenant: string;
  /** Endpoint id. */
  endpoint: string;
  /** `test`: a webhook. `handshake`: the OPTIONS request of CloudEvents webhooks. */
  what: 'test' | 'handshake';
  /** Of the handshake: the value of `webhook-request-origin`. */
  origin?: string;
}

export interface EndpointRequest extends EndpointRequestHead {
  event: EventFrame;
}

/** `unknown`: no such endpoint. `busy`: too many requests run. `unsent`: a fault of the worker. */
export type EndpointRequestFault = 'unknown' | 'busy' | 'unsent';

export type EndpointRequestAnswer =
  | { fault: EndpointRequestFault; detail: string }
  | { attempt: AttemptRecord };

const LF = 10;

/** @param frame an encoded event */
export function encodeEndpointRequest(head: EndpointRequestHead, frame: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), frame]);
}

/** @throws SyntaxError if the bytes are not a request */
export function decodeEndpointRequest(bytes: Uint8Array): EndpointRequest {
  const buffer = asBuffer(bytes);
  const end = buffer.indexOf(LF);
  if (end < 0) throw new SyntaxError('a request has no line feed');
  const head = JSON.parse(buffer.toString('utf8', 0, end)) as Partial<EndpointRequestHead> | null;
  const { tenant, endpoint, what, origin } = head ?? {};
  if (tenant === undefined || endpoint === undefined) {
    throw new SyntaxError('a request names tenant and endpoint');
  }
  if (what !== 'test' && what !== 'handshake') {
    throw new SyntaxError('a request is a test or a handshake');
  }
  const event = decodeEventFrame(buffer.subarray(end + 1));
  return { tenant, endpoint, what, event, ...(origin === undefined ? {} : { origin }) };
}
