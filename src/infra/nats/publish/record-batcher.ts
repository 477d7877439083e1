/**
 * Gathers the records that come within 20 ms and publishes them to ATT-k as one message (DL-12): one store,
 * one ack and one wake-up of the projector instead of one for each delivery.
 *
 * A caller's `stored` is called once the message with its record is stored; only then does it ack what the
 * record is about. So a crash before that line leaves the work to be done again, and its record with it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type HistoryRecord, encodeRecord, encodeRecords } from '#wire/frames/record.ts';
import { subjects } from '#wire/subjects.ts';
import { newId } from '#domain/ids.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { type Publication, PublishRefusedError, type Publisher } from './publisher.ts';

const GATHER_MS = 20;
const RECORDS_MAX = 500;
/** Where the server refuses them, as when an account is full. */
const TRY_AGAIN_MS = 1000;
/** At most three bytes each: a message stays below the 1 MiB that a server takes unless told otherwise. */
const CHARACTERS_MAX = 256 * 1024;

interface Batch {
  /** Encoded. */
  records: string[];
  characters: number;
  stored: (() => void)[];
}

export class RecordGatherer {
  private readonly publisher: Publisher;
  private readonly shards: number;
  private readonly log: Log;
  private batch: Batch = { records: [], characters: 0, stored: [] };
  private timer: NodeJS.Timeout | undefined;
  private dueMs = 0;
  private nextShard = 0;
  private readonly underWay = new Set<Promise<void>>();

  constructor(deps: { publisher: Publisher; shards: number; log: Log }) {
    this.publisher = deps.publisher;
    this.shards = deps.shards;
    this.log = deps.log;
  }

  /** @param withinMs published at the latest after this, at most 20; what has been gathered goes with it */
  add(record: HistoryRecord, stored: () => void, withinMs = GATHER_MS): void {
    const text = encodeRecord(record);
    if (this.batch.characters + text.length > CHARACTERS_MAX) this.flush();
    this.batch.records.push(text);
    this.batch.characters += text.length;
    this.batch.stored.push(stored);
    if (this.batch.records.length >= RECORDS_MAX) this.flush();
    else this.flushWithin(withinMs);
  }

  /** Publishes what is gathered and resolves when all that was given until now is stored. */
  async drain(): Promise<void> {
    this.flush();
    await Promise.all(this.underWay);
  }

  private flushWithin(ms: number): void {
    const dueMs = performance.now() + ms;
    if (this.timer !== undefined && this.dueMs <= dueMs) return;
    clearTimeout(this.timer);
    this.dueMs = dueMs;
    this.timer = setTimeout(() => this.flush(), ms);
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const batch = this.batch;
    if (batch.records.length === 0) return;
    this.batch = { records: [], characters: 0, stored: [] };
    // Any shard will do: applying records is independent of their order (control/projector).
    const shard = this.nextShard++ % this.shards;
    const publication: Publication = {
      subject: subjects.records(shard),
      payload: encodeRecords(batch.records),
      messageId: newId('att'),
      timeoutMs: Number.POSITIVE_INFINITY,
    };
    const done = this.settle(batch, publication).finally(() => this.underWay.delete(done));
    this.underWay.add(done);
  }

  private async settle(batch: Batch, publication: Publication): Promise<void> {
    if (await this.store(publication)) for (const stored of batch.stored) stored();
  }

  /** False only where the publisher was closed: nothing is acked then, so all of it comes again. */
  private async store(publication: Publication): Promise<boolean> {
    for (;;) {
      try {
        await this.publisher.publishAsync(publication);
        return true;
      } catch (error) {
        this.log.error({ error: (error as Error).message }, 'records.not_stored');
        // Given up, what its records are about would be neither acked nor worked on by this process.
        if (!(error instanceof PublishRefusedError)) return false;
      }
      await delay(TRY_AGAIN_MS);
    }
  }
}
