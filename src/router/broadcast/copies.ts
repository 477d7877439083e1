/**
 * Copies of a broadcast event in the streams of its tenants: from there on each is an event of its tenant like any
 * other, with history, delivery, replay and isolation.
 *
 * A copy has the message id `<tenant>:<event id>`, so one that is published twice within the stream's window of 2
 * minutes is stored once. For one that may have been published longer ago, the stream itself is asked first.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import type { EventFrame } from '#wire/frames/event-frame.ts';
import { shardOf, streams, subjects } from '#wire/subjects.ts';

/** Less than the window of message ids: what is not acknowledged by then is looked for. */
const STORE_TIMEOUT_MS = 25_000;
const LOOK_BATCH = 64;
/** The servers' clocks may differ by as much. */
const CLOCKS_MS = 60_000;

export interface CopiesDeps {
  publisher: Publisher;
  jsm: JetStreamManager;
  shards: number;
}

export class Copies {
  private readonly deps: CopiesDeps;

  constructor(deps: CopiesDeps) {
    this.deps = deps;
  }

  /**
   * Resolves when the copy is stored.
   *
   * @param frame the event as this tenant gets it
   * @throws PublishTimeoutError, PublishRefusedError
   */
  async publish(tenant: string, event: EventFrame, frame: Buffer): Promise<void> {
    await this.deps.publisher.publishAsync({
      subject: subjects.event(tenant, event.head.type),
      payload: frame,
      messageId: copyId(tenant, event),
      timeoutMs: STORE_TIMEOUT_MS,
    });
  }

  /**
   * Whether the tenant's stream holds its copy.
   *
   * @param sinceMs when the broadcast itself was stored
   * @throws where NATS does not answer
   */
  async isStored(tenant: string, event: EventFrame, sinceMs: number): Promise<boolean> {
    const { jsm, shards } = this.deps;
    const stream = streams.events(shardOf(tenant, shards));
    const subject = subjects.event(tenant, event.head.type);
    const wanted = copyId(tenant, event);
    const last = await jsm.direct.getMessage(stream, { last_by_subj: subject });
    const notBeforeMs = sinceMs - CLOCKS_MS;
    if (last === null || last.time.getTime() < notBeforeMs) return false;
    if (idOf(last) === wanted) return true;
    // The tenant has had other events of this type since.
    const first = await jsm.direct.getMessage(stream, { start_time: new Date(notBeforeMs) });
    for (let seq = first?.seq ?? 1; seq <= last.seq;) {
      const from = seq;
      const page = { seq, next_by_subj: subject, batch: LOOK_BATCH };
      for (const message of await readBatch(jsm, stream, page)) {
        if (idOf(message) === wanted) return true;
        seq = message.seq + 1;
      }
      if (seq === from) break; // they expired at this moment
    }
    return false;
  }
}

function copyId(tenant: string, event: EventFrame): string {
  return `${tenant}:${event.head.id}`;
}

function idOf(message: StoredMsg): string {
  return message.header.get('Nats-Msg-Id');
}
