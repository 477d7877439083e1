/**
 * Publishes and finds the copies of a broadcast event in the streams of its tenants. From there on
 * each copy is an ordinary event of its tenant, with history, delivery, replay and isolation.
 *
 * A copy has the message id `<tenant>:<event id>`, so a second publication within the stream's
 * deduplication window of 2 minutes is dropped. If the first publication may be older than that,
 * the caller reads the stream itself first.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import type { EventFrame } from '#wire/frames/event-frame.ts';
import { shardOf, streams, subjects } from '#wire/subjects.ts';

/** Less than the deduplication window: a copy without an ack by then is looked up. */
const STORE_TIMEOUT_MS = 25_000;
const POLL_BATCH = 64;
/** Allowance for the clock difference between servers. */
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
   * @throws if NATS does not answer
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
    // Skip to the start of the broadcast: the tenant may have had later events of this type.
    const first = await jsm.direct.getMessage(stream, { start_time: new Date(notBeforeMs) });
    for (let seq = first?.seq ?? 1; seq <= last.seq;) {
      const from = seq;
      const page = { seq, next_by_subj: subject, batch: POLL_BATCH };
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
