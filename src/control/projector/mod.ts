/**
 * The projector: writes the history to MongoDB in batches, from its own consumers on the events and on the
 * records (RT-7, DL-12). It is on nobody's path: while MongoDB is away deliveries go on, the messages wait
 * in JetStream, and the history catches up afterwards.
 *
 * A message is acked once the batch that holds it is durable; a crash before that repeats the batch, and
 * repeating changes nothing (`merge.ts`).
 */
import type { ConsumerMessages, JetStreamClient, JsMsg } from '@nats-io/jetstream';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { History } from '#infra/mongo/documents.ts';
import { consume } from '#infra/nats/consume.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#src/app/service.ts';
import { asBuffer, decodeEventFrame } from '#wire/event-frame.ts';
import { type EndpointGoneRecord, decodeRecords } from '#wire/record.ts';
import { consumers, parseEventSubject, streams } from '#wire/subjects.ts';
import { Batch } from './merge.ts';
import { writeBatch } from './write.ts';

const GATHER_MS = 250;
const MESSAGES_MAX = 1000;
const AHEAD = 1000;
const RETRY_MS = { first: 250, max: 5000 };

export interface ProjectorDeps {
  shards: number;
  js: JetStreamClient;
  history: History;
  registry: Registry;
  log: Log;
  registerEventTypes: (names: string[]) => Promise<void>;
  disableGoneEndpoint: (record: EndpointGoneRecord) => Promise<void>;
}

export function createProjector(deps: ProjectorDeps): Service {
  const projector = new Projector(deps);
  const taps: ConsumerMessages[] = [];
  return {
    name: 'projector',
    async start() {
      const { js, log } = deps;
      for (let shard = 0; shard < deps.shards; shard++) {
        for (const stream of [streams.events(shard), streams.records(shard)]) {
          const onMessage = (message: JsMsg): void => projector.take(message);
          const consumer = consumers.projector;
          taps.push(await consume({ js, stream, consumer, ahead: AHEAD, onMessage, log }));
        }
      }
    },
    async stop(deadlineMs) {
      for (const tap of taps) tap.stop();
      await projector.drain(deadlineMs);
    },
  };
}

class Projector {
  private readonly deps: ProjectorDeps;
  private readonly written: Counter<'kind'>;
  private batch = new Batch();
  private messages: JsMsg[] = [];
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> | undefined;
  private stopping = false;
  private behindSinceMs: number | undefined;

  constructor(deps: ProjectorDeps) {
    this.deps = deps;
    const registers = [deps.registry];
    this.written = new Counter({
      name: 'posthorn_projector_documents_total',
      help: 'Documents of the history written, by kind.',
      labelNames: ['kind'],
      registers,
    });
    const behind: Gauge = new Gauge({
      name: 'posthorn_projector_blocked_seconds',
      help: 'For how long the history could not be written; 0 while it can.',
      registers,
      collect: (): void => {
        const since = this.behindSinceMs;
        behind.set(since === undefined ? 0 : (performance.now() - since) / 1000);
      },
    });
  }

  take(message: JsMsg): void {
    try {
      this.read(message);
      this.messages.push(message);
    } catch (error) {
      this.deps.log.error({ err: error, subject: message.subject }, 'projector.undecodable');
      message.term('undecodable');
      return;
    }
    if (this.messages.length >= MESSAGES_MAX) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  async drain(deadlineMs: number): Promise<void> {
    this.stopping = true;
    this.flush();
    const timeout = new Promise((resolve) => setTimeout(resolve, deadlineMs).unref());
    while (this.writing !== undefined) {
      const over = await Promise.race([this.writing.then(() => false), timeout.then(() => true)]);
      if (over) return;
    }
  }

  private read(message: JsMsg): void {
    if (message.subject.startsWith('ev.')) {
      const { tenant } = parseEventSubject(message.subject);
      this.batch.addEvent(tenant, message.seq, decodeEventFrame(asBuffer(message.data)));
    } else {
      for (const record of decodeRecords(message.data)) this.batch.addRecord(record);
    }
  }

  /** One batch is written at a time; the next gathers meanwhile, bounded by `max_ack_pending`. */
  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.writing !== undefined || this.messages.length === 0) return;
    const { batch, messages } = this;
    this.batch = new Batch();
    this.messages = [];
    this.writing = this.write(batch, messages).finally(() => {
      this.writing = undefined;
      if (this.messages.length >= MESSAGES_MAX || this.stopping) this.flush();
      else if (this.messages.length > 0) {
        this.timer ??= setTimeout(() => this.flush(), GATHER_MS);
      }
    });
  }

  /** Tries until it is written: nothing else can be done, and nothing is lost by waiting. */
  private async write(batch: Batch, messages: JsMsg[]): Promise<void> {
    for (let delayMs = RETRY_MS.first; ; delayMs = Math.min(delayMs * 2, RETRY_MS.max)) {
      try {
        await writeBatch(this.deps.history, batch);
        await this.deps.registerEventTypes([...batch.types]);
        for (const record of batch.gone) await this.deps.disableGoneEndpoint(record);
        break;
      } catch (error) {
        this.behindSinceMs ??= performance.now();
        this.deps.log.warn({ error: (error as Error).message }, 'projector.write_failed');
        // Not acked: the messages come again to whoever runs then.
        if (this.stopping) return;
        for (const message of messages) message.working();
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
    this.behindSinceMs = undefined;
    this.written.inc({ kind: 'event' }, batch.events.size);
    this.written.inc({ kind: 'delivery' }, batch.deliveries.size);
    // The batch is durable from here on.
    for (const message of messages) message.ack();
  }
}
