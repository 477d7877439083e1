/**
 * Writes the history to MongoDB in batches, from its own consumers of events and records (RT-7,
 * DL-12). No delivery depends on it: while MongoDB is unavailable, deliveries continue, the
 * messages wait in JetStream, and the history catches up afterwards.
 * Each round pulls messages, writes them and acks them. A message is acked once its batch is
 * durable. A crash before that repeats the batch, which changes nothing (`merge.ts`).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/nats-core';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import type { History } from '#infra/mongo/documents.ts';
import { BatchPull, type PulledMessage } from '#infra/nats/consume/batch-pull.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import { asBuffer, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { type EndpointGoneRecord, decodeRecords } from '#wire/frames/record.ts';
import { consumers, parseEventSubject, streams } from '#wire/subjects.ts';
import type { AttemptsByEndpoint } from '../health/attempts.ts';
import type { SeenType } from '../event-types/automatic-types.ts';
import { Batch } from './merge.ts';
import { writeBatch } from './write.ts';

/** Maximum lag of the history while there is little to write. */
const ROUND_MS = 250;
/** Per stream and round. */
const MESSAGES_MAX = 1000;
/**
 * More than the largest event that can be configured, with its headers: a larger message would
 * never be delivered to this consumer.
 */
const BYTES_MAX = 5 * 1024 * 1024;
const RETRY_MS = { first: 250, max: 5000 };

export interface ProjectorDeps {
  shards: number;
  nc: NatsConnection;
  history: History;
  lives: Pick<TenantLives, 'drops'>;
  registry: Registry;
  log: Log;
  registerEventTypes: (seen: SeenType[]) => Promise<void>;
  disableGoneEndpoint: (record: EndpointGoneRecord) => Promise<void>;
  trackHealth: (attempts: AttemptsByEndpoint) => Promise<void>;
  clock: Clock;
}

/** Creates the projector as a service of its own. */
export function createProjector(deps: ProjectorDeps): Service {
  const projector = new Projector(deps);
  return {
    name: 'projector',
    async start() {
      projector.start();
    },
    stop: (deadlineMs) => projector.stop(deadlineMs),
  };
}

class Projector {
  private readonly deps: ProjectorDeps;
  private readonly written: Counter<'kind'>;
  private readonly pulls: BatchPull[] = [];
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private blockedSinceMs: number | undefined;

  constructor(deps: ProjectorDeps) {
    this.deps = deps;
    const registers = [deps.registry];
    this.written = new Counter({
      name: 'posthorn_projector_documents_total',
      help: 'Documents of the history written, by kind.',
      labelNames: ['kind'],
      registers,
    });
    const blocked: Gauge = new Gauge({
      name: 'posthorn_projector_blocked_seconds',
      help: 'Seconds for which the history could not be written; 0 while it can.',
      registers,
      collect: (): void => {
        const since = this.blockedSinceMs;
        blocked.set(since === undefined ? 0 : (this.deps.clock.monotonicMs() - since) / 1000);
      },
    });
  }

  start(): void {
    const { nc, shards } = this.deps;
    const consumer = consumers.projector;
    for (let shard = 0; shard < shards; shard++) {
      for (const stream of [streams.events(shard), streams.records(shard)]) {
        this.pulls.push(new BatchPull({ nc, stream, consumer }));
      }
    }
    this.running = this.run();
  }

  /** Ends after the round in progress. Unacked messages are redelivered to the next projector. */
  async stop(deadlineMs: number): Promise<void> {
    this.stopping.abort();
    const over = delay(deadlineMs, undefined, { ref: false });
    await Promise.race([this.running, over]);
    for (const pull of this.pulls) pull.close();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const startedMs = this.deps.clock.monotonicMs();
      const full = await this.round();
      const restMs = full ? 0 : Math.max(0, ROUND_MS - (this.deps.clock.monotonicMs() - startedMs));
      if (restMs > 0) await delay(restMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Returns true if a stream had more messages than one round takes. */
  private async round(): Promise<boolean> {
    const taken = await Promise.all(this.pulls.map((pull) => pull.pull(MESSAGES_MAX, BYTES_MAX)));
    const batch = new Batch();
    const messages = taken.flat().filter((message) => this.read(message, batch));
    if (messages.length > 0) await this.write(batch, messages);
    return taken.some((of) => of.length === MESSAGES_MAX);
  }

  private read(message: PulledMessage, batch: Batch): boolean {
    const { lives } = this.deps;
    try {
      if (message.subject.startsWith('ev.')) {
        const { tenant } = parseEventSubject(message.subject);
        if (lives.drops(tenant, 'event')) return true;
        batch.addEvent(tenant, message.seq, decodeEventFrame(asBuffer(message.data)));
      } else {
        for (const record of decodeRecords(message.data)) {
          if (!lives.drops(record.tenant, 'record')) batch.addRecord(record);
        }
      }
      return true;
    } catch (error) {
      this.deps.log.error({ err: error, subject: message.subject }, 'projector.undecodable');
      message.term('undecodable');
      return false;
    }
  }

  /** Retries until the batch is written: nothing else can be done, and waiting loses nothing. */
  private async write(batch: Batch, messages: PulledMessage[]): Promise<void> {
    const { signal } = this.stopping;
    for (let delayMs = RETRY_MS.first; ; delayMs = Math.min(delayMs * 2, RETRY_MS.max)) {
      try {
        await writeBatch(this.deps.history, batch);
        await this.deps.registerEventTypes(seenTypes(batch));
        for (const record of batch.gone) await this.deps.disableGoneEndpoint(record);
        await this.deps.trackHealth(batch.attempts);
        break;
      } catch (error) {
        this.blockedSinceMs ??= this.deps.clock.monotonicMs();
        this.deps.log.warn({ error: (error as Error).message }, 'projector.write_failed');
        if (signal.aborted) return;
        for (const message of messages) message.working();
        await delay(delayMs, undefined, { signal }).catch(() => {});
      }
    }
    this.blockedSinceMs = undefined;
    this.written.inc({ kind: 'event' }, batch.events.size);
    this.written.inc({ kind: 'delivery' }, batch.deliveries.size);
    // The batch is durable from here on.
    for (const message of messages) message.ack();
  }
}

function seenTypes({ types }: Batch): SeenType[] {
  return [...types].flatMap(([tenant, names]) => [...names].map((name) => ({ tenant, name })));
}
