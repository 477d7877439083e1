/**
 * Finds out which deliveries an earlier run published before it died. Until 2 minutes after a
 * publication the server drops its repeat. After that the streams are searched: a delivery is in
 * DLV-k until its record is in ATT-k, and the projector writes records to the history. So a
 * delivery that is in neither, once the projector has caught up, was not published.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { History } from '#infra/mongo/documents.ts';
import { isNoneLeft } from '#infra/nats/api-errors.ts';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import { consumers, shardOf, streams, subjects } from '#wire/subjects.ts';

/** Less than the window in which the server drops repeats, by the time that a batch takes. */
const REPEATS_DROPPED_MS = 90_000;
/** Maximum difference between the clocks of processes and brokers. */
const CLOCKS_APART_MS = 60_000;
const READ_AT_ONCE = 500;
const POLL_MS = 100;
const CATCH_UP_MS_MAX = 30_000;

export interface PublishedDeliveriesDeps {
  history: Pick<History, 'deliveries'>;
  jsm: () => Promise<JetStreamManager>;
  shards: number;
}

export class PublishedDeliveries {
  private readonly deps: PublishedDeliveriesDeps;

  constructor(deps: PublishedDeliveriesDeps) {
    this.deps = deps;
  }

  /**
   * Returns those of the deliveries whose repeat the server would not drop.
   *
   * @param earlier when the earlier run began to publish
   * @throws if MongoDB or NATS does not answer, or the projector does not catch up in 30 s
   */
  async among(
    lifeId: string,
    ids: readonly string[],
    { sinceMs, ageMs }: { sinceMs: number; ageMs: number },
  ): Promise<Set<string>> {
    if (ageMs < REPEATS_DROPPED_MS) return new Set();
    // In this order: a delivery that leaves the stream in between has its record by then.
    const found = await this.inStream(lifeId, new Set(ids), sinceMs);
    await this.untilProjected();
    const known = await this.deps.history.deliveries
      .find({ _id: { $in: [...ids] } })
      .project<{ _id: string }>({ _id: 1 })
      .toArray();
    for (const { _id } of known) found.add(_id);
    return found;
  }

  private async inStream(
    lifeId: string,
    wanted: ReadonlySet<string>,
    sinceMs: number,
  ): Promise<Set<string>> {
    const jsm = await this.deps.jsm();
    const stream = streams.deliveries(shardOf(lifeId, this.deps.shards));
    const found = new Set<string>();
    let from: { start_time: Date } | { seq: number } = {
      start_time: new Date(sinceMs - CLOCKS_APART_MS),
    };
    for (;;) {
      const page = await readPage(jsm, stream, {
        ...from,
        next_by_subj: subjects.deliveriesOf(lifeId),
        batch: READ_AT_ONCE,
      });
      for (const message of page) {
        const id = deliveryOf(message);
        if (wanted.has(id)) found.add(id);
      }
      const last = page.at(-1);
      if (page.length < READ_AT_ONCE || last === undefined) return found;
      if (last.time.getTime() > sinceMs + REPEATS_DROPPED_MS + CLOCKS_APART_MS) return found;
      from = { seq: last.seq + 1 };
    }
  }

  private async untilProjected(): Promise<void> {
    const jsm = await this.deps.jsm();
    let triesLeft = CATCH_UP_MS_MAX / POLL_MS;
    for (let shard = 0; shard < this.deps.shards; shard++) {
      const stream = streams.records(shard);
      const { state } = await jsm.streams.info(stream);
      for (;;) {
        const { ack_floor, num_pending, num_ack_pending } = await jsm.consumers.info(
          stream,
          consumers.projector,
        );
        if (num_pending + num_ack_pending === 0 || ack_floor.stream_seq >= state.last_seq) break;
        if (triesLeft-- <= 0) throw new Error('the history has not caught up with its records');
        await delay(POLL_MS);
      }
    }
  }
}

async function readPage(
  jsm: JetStreamManager,
  stream: string,
  query: Parameters<typeof readBatch>[2],
): Promise<StoredMsg[]> {
  try {
    return await readBatch(jsm, stream, query);
  } catch (error) {
    if (isNoneLeft(error)) return [];
    throw error;
  }
}

/** From `<delivery id>:<hop>`, with a suffix for some actions. */
function deliveryOf(message: StoredMsg): string {
  return message.header.get('Nats-Msg-Id').split(':', 1)[0] ?? '';
}
