/**
 * Gathers the records of 20 ms and publishes them to ATT-k as one message (DL-12): one store, one
 * ack and one wake-up of the projector instead of one for each delivery.
 *
 * A caller's `stored` is called once the message with its record is stored; only then does it ack
 * the work that the record describes. A crash before that line leaves the work to be repeated, and
 * its record with it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import { type HistoryRecord, encodeRecord, encodeRecords } from '#wire/frames/record.ts';
import { subjects } from '#wire/subjects.ts';
import { newId } from '#domain/ids.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { type Publication, PublishRefusedError, type Publisher } from './publisher.ts';

const GATHER_MS = 20;
const RECORDS_MAX = 500;
/** After a refusal by the server, as when an account is full. */
const RETRY_DELAY_MS = 1000;
/** At most three bytes each: a message stays below 1 MiB, the server's default limit. */
const CHARACTERS_MAX = 256 * 1024;

interface Batch {
  /** Encoded. */
  records: string[];
  characters: number;
  stored: (() => void)[];
}

export class RecordBatcher {
  private readonly publisher: Publisher;
  private readonly shards: number;
  private readonly clock: Clock;
  private readonly log: Log;
  private batch: Batch = { records: [], characters: 0, stored: [] };
  private timer: NodeJS.Timeout | undefined;
  private dueMs = 0;
  private nextShard = 0;
  private readonly underWay = new Set<Promise<void>>();

  constructor(deps: { publisher: Publisher; shards: number; clock: Clock; log: Log }) {
    this.publisher = deps.publisher;
    this.shards = deps.shards;
    this.clock = deps.clock;
    this.log = deps.log;
  }

  /**
   * @param withinMs publishes at the latest after this, at most 20; all gathered records go with it
   */
  add(record: HistoryRecord, stored: () => void, withinMs = GATHER_MS): void {
    const text = encodeRecord(record);
    if (this.batch.characters + text.length > CHARACTERS_MAX) this.flush();
    this.batch.records.push(text);
    this.batch.characters += text.length;
    this.batch.stored.push(stored);
    if (this.batch.records.length >= RECORDS_MAX) this.flush();
    else this.flushWithin(withinMs);
  }

  /** Publishes the gathered records; resolves when all records added until now are stored. */
  async drain(): Promise<void> {
    this.flush();
    await Promise.all(this.underWay);
  }

  private flushWithin(ms: number): void {
    const dueMs = this.clock.monotonicMs() + ms;
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
    // Any shard will do: the order of records does not matter to the projector (control/projector).
    const shard = this.nextShard++ % this.shards;
    const publication: Publication = {
      subject: subjects.records(shard),
      payload: encodeRecords(batch.records),
      messageId: newId('att', this.clock.wallMs()),
      timeoutMs: Number.POSITIVE_INFINITY,
    };
    const done = this.settle(batch, publication).finally(() => this.underWay.delete(done));
    this.underWay.add(done);
  }

  private async settle(batch: Batch, publication: Publication): Promise<void> {
    if (await this.store(publication)) for (const stored of batch.stored) stored();
  }

  /**
   * False only if the publisher was closed: nothing is acked then, so all of it is redelivered.
   */
  private async store(publication: Publication): Promise<boolean> {
    for (;;) {
      try {
        await this.publisher.publishAsync(publication);
        return true;
      } catch (error) {
        this.log.error({ error: (error as Error).message }, 'records.not_stored');
        // Retry without end: this process would neither ack nor repeat the work of abandoned
        // records.
        if (!(error instanceof PublishRefusedError)) return false;
      }
      await delay(RETRY_DELAY_MS);
    }
  }
}
