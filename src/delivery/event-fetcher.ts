import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { type EventFrame, decodeEventFrame } from '#wire/event-frame.ts';
import { parseEventSubject, shardOf, streams } from '#wire/subjects.ts';

const CACHE_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Reads large events from their stream by sequence, once for the deliveries of one event that come close
 * together: a cache bounded in bytes, the oldest go first.
 */
export class EventFetcher {
  private readonly jsm: JetStreamManager;
  private readonly shards: number;
  private readonly cache = new Map<string, EventFrame>();
  private cachedBytes = 0;

  constructor(deps: { jsm: JetStreamManager; shards: number }) {
    this.jsm = deps.jsm;
    this.shards = deps.shards;
  }

  /**
   * The event, or undefined where the stream holds it no more: also where something else stands at its place, since
   * the stream was made again or restored from a backup. It would go to a receiver, perhaps of another tenant.
   *
   * @param id of the event
   * @throws where NATS does not answer, or its leader does not have the event yet
   */
  async fetch(tenant: string, seq: number, id: string): Promise<EventFrame | undefined> {
    const stream = streams.events(shardOf(tenant, this.shards));
    const key = `${stream}:${seq}:${tenant}:${id}`;
    const known = this.cache.get(key);
    if (known !== undefined) return known;
    // Any replica answers a direct get, one that is behind too: only the leader may say that there is none.
    const message =
      (await this.jsm.direct.getMessage(stream, { seq })) ?? (await this.askLeader(stream, seq));
    if (message === null) return undefined;
    if (parseEventSubject(message.subject).tenant !== tenant) return undefined;
    const frame = decodeEventFrame(message.data);
    if (frame.head.id !== id) return undefined;
    this.keep(key, frame);
    return frame;
  }

  private async askLeader(stream: string, seq: number): Promise<StoredMsg | null> {
    const { state } = await this.jsm.streams.info(stream);
    if (state.last_seq < seq) throw new Error(`${stream} has no message ${seq} yet`);
    return this.jsm.streams.getMessage(stream, { seq });
  }

  private keep(key: string, frame: EventFrame): void {
    this.cache.set(key, frame);
    this.cachedBytes += frame.bytes.length;
    for (const [oldest, old] of this.cache) {
      if (this.cachedBytes <= CACHE_BYTES_MAX) break;
      this.cache.delete(oldest);
      this.cachedBytes -= old.bytes.length;
    }
  }
}
