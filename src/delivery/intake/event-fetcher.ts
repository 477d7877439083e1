import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { parseEventSubject, shardOf, streams } from '#wire/subjects.ts';
import { ByteCache } from '../attempt/byte-cache.ts';

const CACHE_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Reads large events from their stream by sequence. Deliveries of one event that follow each other
 * closely share one read.
 */
export class EventFetcher {
  private readonly jsm: JetStreamManager;
  private readonly shards: number;
  private readonly cache = new ByteCache<EventFrame>({
    bytesMax: CACHE_BYTES_MAX,
    sizeOf: ({ bytes }) => bytes.length,
  });

  constructor(deps: { jsm: JetStreamManager; shards: number }) {
    this.jsm = deps.jsm;
    this.shards = deps.shards;
  }

  /**
   * Returns the event, or undefined if the stream no longer has it. A message of another event at
   * this sequence counts as absent: a recreated or restored stream reuses sequences, and its event
   * may belong to another tenant.
   *
   * @param id of the event
   * @throws if NATS does not answer, or if the stream's leader has not reached this sequence yet
   */
  fetch(tenant: string, seq: number, id: string): Promise<EventFrame | undefined> {
    const stream = streams.events(shardOf(tenant, this.shards));
    const key = `${stream}:${seq}:${tenant}:${id}`;
    return this.cache.get(tenant, key, () => this.read(stream, seq, { tenant, id }));
  }

  private async read(
    stream: string,
    seq: number,
    wanted: { tenant: string; id: string },
  ): Promise<EventFrame | undefined> {
    // Any replica may answer a direct get, and it may lag. Only the leader's answer proves absence.
    const message =
      (await this.jsm.direct.getMessage(stream, { seq })) ?? (await this.askLeader(stream, seq));
    if (message === null) return undefined;
    if (parseEventSubject(message.subject).tenant !== wanted.tenant) return undefined;
    const frame = decodeEventFrame(message.data);
    return frame.head.id === wanted.id ? frame : undefined;
  }

  private async askLeader(stream: string, seq: number): Promise<StoredMsg | null> {
    const { state } = await this.jsm.streams.info(stream);
    if (state.last_seq < seq) throw new Error(`${stream} has no message ${seq} yet`);
    return this.jsm.streams.getMessage(stream, { seq });
  }
}
