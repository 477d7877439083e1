import type { JetStreamManager } from '@nats-io/jetstream';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import { shardOf, streams } from '#wire/subjects.ts';

/** Events as their stream has them. */
export class StoredEvents {
  private readonly deps: { jsm: JetStreamManager; shards: number };

  constructor(deps: { jsm: JetStreamManager; shards: number }) {
    this.deps = deps;
  }

  /**
   * Whether the stored event has this content: what the stream dropped by its message id is a repeat only then. True,
   * too, where its content is not known: its id is one that we made, or it was removed since.
   *
   * @param seq its sequence, by the acknowledgement of what was dropped
   * @throws where NATS does not answer
   */
  async hasContent(tenant: string, seq: number, fingerprint: string): Promise<boolean> {
    const { jsm, shards } = this.deps;
    const stream = streams.events(shardOf(tenant, shards));
    // Any replica answers a direct get, one that is behind too: only the leader may say that there is none.
    const message =
      (await jsm.direct.getMessage(stream, { seq })) ??
      (await jsm.streams.getMessage(stream, { seq }));
    if (message === null) return true;
    const known = decodeEventFrame(message.data).head.fingerprint;
    return known === undefined || known === fingerprint;
  }
}
