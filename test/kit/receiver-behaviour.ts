import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** Behaviour of a scripted receiver for a request. */
export type Behaviour = {
  /** Wait first, in milliseconds. */
  delayMs?: number;
  /** Wait for this promise first. */
  until?: Promise<void>;
} & (
  | { status: number; headers?: Record<string, string | string[]>; body?: string | Buffer }
  /** `request`: never answer; `body`: send status and headers, then nothing more. */
  | { hang: 'request' | 'body' }
  /** Cut the connection with a TCP reset, or end it politely, without an answer. */
  | { cut: 'reset' | 'end' }
  /** An endless body, as fast as the client reads. */
  | { endless: true; status?: number }
  /** A body sent byte by byte. */
  | { trickleMs: number; bytes: number; status?: number }
  /** These bytes instead of an HTTP response; then the connection closes. */
  | { raw: string | Buffer }
);

/** Acts on one response; returns when it is complete or `signal` is raised. */
export async function behave(
  behaviour: Behaviour,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const stop = AbortSignal.any([signal, gone.signal]);
  try {
    if (behaviour.delayMs !== undefined)
      await delay(behaviour.delayMs, undefined, { signal: stop });
    await behaviour.until;
    await act(behaviour, response, stop);
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}

async function act(how: Behaviour, response: ServerResponse, stop: AbortSignal): Promise<void> {
  if ('hang' in how) {
    if (how.hang === 'body') response.writeHead(200, { 'content-length': '100' }).flushHeaders();
  } else if ('cut' in how) {
    if (how.cut === 'reset') response.socket?.resetAndDestroy();
    else response.socket?.end();
  } else if ('endless' in how) {
    response.writeHead(how.status ?? 200);
    const block = Buffer.alloc(64 * 1024, 'x');
    while (!stop.aborted) {
      if (!response.write(block)) await once(response, 'drain', { signal: stop });
    }
  } else if ('trickleMs' in how) {
    response.writeHead(how.status ?? 200);
    for (let sent = 0; sent < how.bytes; sent++) {
      response.write('x');
      await delay(how.trickleMs, undefined, { signal: stop });
    }
    response.end();
  } else if ('raw' in how) {
    response.socket?.end(how.raw);
  } else {
    response.writeHead(how.status, how.headers);
    response.end(how.body);
  }
}
