/**
 * One client of the live tail: an answer of type `text/event-stream` (WHATWG HTML, section 9.2)
 * that does not end.
 *
 * Bound: `limits.tailBufferBytesMax` that the client has not read. A chunk beyond it is left out
 * and counted. The client gets the count once it has read half of the bound. A client that
 * reads nothing for `STALLED_MS` is disconnected.
 */
import type { ServerResponse } from 'node:http';
import { limits } from '#domain/limits.ts';

const STALLED_MS = 60_000;
/** After which a client connects again. */
const RETRY_MS = 2000;

/** Why a stream ended, for the client. */
export type TailEnd = 'access_ended' | 'tenant_deleted' | 'stopping';

/** Why items are missing. */
export type MissedReason = 'slow_reader' | 'resumed_too_late';

export class TailConnection {
  private readonly response: ServerResponse;
  private readonly now: () => number;
  private missed = 0;
  private fullSinceMs: number | undefined;
  private wroteMs: number;
  /** The id of the last message that was written. */
  private lastId = '';

  /** @param now monotonic milliseconds */
  constructor(response: ServerResponse, now: () => number) {
    this.response = response;
    this.now = now;
    this.wroteMs = now();
  }

  /**
   * Sends the first lines.
   *
   * @param id from which the client resumes if nothing else comes
   */
  open(headers: Record<string, string | number | string[] | undefined>, id: string): void {
    this.lastId = id;
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) this.response.setHeader(name, value);
    }
    this.response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // Proxies would hold back the messages of a quiet stream.
      'x-accel-buffering': 'no',
    });
    this.response.write(`retry: ${RETRY_MS}\nid: ${id}\n\n`);
  }

  /**
   * Sends messages, or leaves them out if the client is behind.
   *
   * @param count number of messages in the chunk
   * @param id position after the chunk
   */
  send(chunk: Buffer | string, count: number, id: string): void {
    const { response } = this;
    const unread = response.writableLength;
    const bound = limits.tailBufferBytesMax;
    // A client that reads again gets whole chunks again only after half of its backlog.
    if (unread > (this.missed === 0 ? bound : bound / 2)) {
      this.missed += count;
      this.fullSinceMs ??= this.now();
      return;
    }
    this.fullSinceMs = undefined;
    if (this.missed > 0) {
      const missed = this.missed;
      this.missed = 0;
      this.tellMissed(missed, 'slow_reader');
    }
    this.lastId = id;
    this.write(chunk);
  }

  /**
   * Tells the client that messages are missing, and the id to resume from in order to get them.
   *
   * @param count undefined: it is not known
   */
  tellMissed(count: number | undefined, reason: MissedReason): void {
    const facts = { count: count ?? null, reason, last_event_id: this.lastId };
    this.write(`event: missed\ndata: ${JSON.stringify(facts)}\n\n`);
  }

  /** Keeps a quiet connection open, and moves its position. */
  heartbeat(everyMs: number, id: string): void {
    if (this.now() - this.wroteMs < everyMs) return;
    if (this.response.writableLength > 0 || this.missed > 0) return;
    this.lastId = id;
    this.write(`: heartbeat\nid: ${id}\n\n`);
  }

  /** Resolves once the client has read half of the bound, or has disconnected. */
  async drained(): Promise<void> {
    const { response } = this;
    while (response.writableLength > limits.tailBufferBytesMax / 2 && !response.destroyed) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          response.off('drain', done).off('close', done);
          resolve();
        };
        response.once('drain', done).once('close', done);
      });
    }
  }

  get isStalled(): boolean {
    return this.fullSinceMs !== undefined && this.now() - this.fullSinceMs > STALLED_MS;
  }

  end(reason: TailEnd): void {
    this.response.end(`event: end\ndata: ${JSON.stringify({ reason })}\n\n`);
  }

  /** Closes a connection whose client reads nothing. */
  destroy(): void {
    this.response.destroy();
  }

  private write(text: Buffer | string): void {
    this.wroteMs = this.now();
    this.response.write(text);
  }
}
