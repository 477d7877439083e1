import type { JetStreamManager } from '@nats-io/jetstream';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import { shardOf, streams } from '#wire/subjects.ts';

/** Reads events from their stream. */
export class StoredEvents {
  private readonly deps: { jsm: JetStreamManager; shards: number };

  constructor(deps: { jsm: JetStreamManager; shards: number }) {
    this.deps = deps;
  }

  /**
   * Whether the stored event has this content: only then is a publication that the stream dropped
   * by its message id a repeat. Also true if the stored content is unknown: its id was generated,
   * or the event was removed since.
   *
   * @param seq its sequence, from the acknowledgement of the duplicate
   * @throws if NATS does not answer
   */
  async hasContent(tenant: string, seq: number, fingerprint: string): Promise<boolean> {
    const { jsm, shards } = this.deps;
    const stream = streams.events(shardOf(tenant, shards));
    // Any replica, even one that lags, answers a direct get: only the leader can say "not found".
    const message =
      (await jsm.direct.getMessage(stream, { seq })) ??
      (await jsm.streams.getMessage(stream, { seq }));
    if (message === null) return true;
    const known = decodeEventFrame(message.data).head.fingerprint;
    return known === undefined || known === fingerprint;
  }
}
