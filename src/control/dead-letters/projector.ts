/**
 * Copies dead letters from the stream DLQ to MongoDB (DL-10). It has its own consumer, so that a
 * flood of dead letters does not delay other history.
 * Each round pulls messages, inserts them and acks them. The id of a dead letter is that of its
 * delivery. So a message that is redelivered after a crash finds its document and leaves it
 * unchanged, even if it was replayed or discarded.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Binary } from 'mongodb';
import type { NatsConnection } from '@nats-io/nats-core';
import { Counter, type Registry } from 'prom-client';
import { isDuplicateOnly } from '#infra/mongo/duplicate-only.ts';
import type { DeadLetterDocument, History } from '#infra/mongo/documents.ts';
import { BatchPull, type PulledMessage } from '#infra/nats/consume/batch-pull.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import { deadLetterReasons, decodeDeadLetterFrame } from '#wire/frames/dead-letter-frame.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';
import { consumers, parseDeadLetterSubject, streams } from '#wire/subjects.ts';

const ROUND_MS = 500;
const MESSAGES_MAX = 500;
/**
 * More than the largest event with its response: a larger message would never be delivered to this
 * consumer.
 */
const BYTES_MAX = 5 * 1024 * 1024;
const RETRY_MS = { first: 250, max: 5000 };

export interface DeadLetterProjectorDeps {
  nc: NatsConnection;
  history: Pick<History, 'deadLetters'>;
  lives: Pick<TenantLives, 'drops'>;
  registry: Registry;
  log: Log;
  /** Called before the dead letters are written, and again for redelivered ones. */
  announce: (letters: readonly DeadLetterDocument[]) => Promise<void>;
}

export class DeadLetterProjector implements Service {
  readonly name = 'dead-letter-projector';
  private readonly deps: DeadLetterProjectorDeps;
  private readonly written: Counter<'reason'>;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private pull: BatchPull | undefined;

  constructor(deps: DeadLetterProjectorDeps) {
    this.deps = deps;
    this.written = new Counter({
      name: 'posthorn_projector_dead_letters_total',
      help: 'Dead letters written to the database, by reason.',
      labelNames: ['reason'],
      registers: [deps.registry],
    });
    // Start each series at 0: `increase` would miss the first dead letters of a series that starts
    // with them.
    for (const reason of deadLetterReasons) this.written.inc({ reason }, 0);
  }

  async start(): Promise<void> {
    const { nc } = this.deps;
    const pull = new BatchPull({ nc, stream: streams.deadLetters, consumer: consumers.projector });
    this.pull = pull;
    this.running = this.run(pull);
  }

  async stop(deadlineMs: number): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.running, delay(deadlineMs, undefined, { ref: false })]);
    this.pull?.close();
  }

  private async run(pull: BatchPull): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const taken = await pull.pull(MESSAGES_MAX, BYTES_MAX);
      await this.write(taken);
      if (taken.length < MESSAGES_MAX) {
        await delay(ROUND_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Retries until the batch is written: waiting loses nothing and blocks no other work. */
  private async write(taken: PulledMessage[]): Promise<void> {
    const { signal } = this.stopping;
    const documents = new Map<PulledMessage, DeadLetterDocument>();
    for (const message of taken) this.read(message, documents);
    if (documents.size === 0) return;
    for (let delayMs = RETRY_MS.first; ; delayMs = Math.min(delayMs * 2, RETRY_MS.max)) {
      try {
        const letters = [...documents.values()];
        await this.deps.announce(letters);
        await this.insert(letters);
        break;
      } catch (error) {
        this.deps.log.warn({ error: (error as Error).message }, 'dead_letters.write_failed');
        if (signal.aborted) return;
        for (const message of documents.keys()) message.working();
        await delay(delayMs, undefined, { signal }).catch(() => {});
      }
    }
    for (const [message, { reason }] of documents) {
      this.written.inc({ reason });
      message.ack();
    }
  }

  private async insert(documents: DeadLetterDocument[]): Promise<void> {
    try {
      await this.deps.history.deadLetters.insertMany(documents, { ordered: false });
    } catch (error) {
      if (!isDuplicateOnly(error)) throw error;
    }
  }

  private read(message: PulledMessage, into: Map<PulledMessage, DeadLetterDocument>): void {
    try {
      const letter = readDeadLetter(message);
      if (this.deps.lives.drops(letter.tenant, 'dead_letter')) message.ack();
      else into.set(message, letter);
    } catch (error) {
      this.deps.log.error({ err: error, subject: message.subject }, 'dead_letters.undecodable');
      message.term('undecodable');
    }
  }
}

/** @throws SyntaxError if the message is not a dead letter */
function readDeadLetter(message: PulledMessage): DeadLetterDocument {
  const { tenant, endpoint } = parseDeadLetterSubject(message.subject);
  const { head, eventBytes } = decodeDeadLetterFrame(message.data);
  const event = eventBytes.length > 0 ? decodeEventFrame(eventBytes).head : head.byReference;
  if (event === undefined) throw new SyntaxError('a dead letter has no event');
  return {
    _id: head.id,
    tenant,
    event: event.id,
    endpoint,
    type: event.type,
    at: new Date(message.storedMs),
    accepted_at: new Date(event.acceptedMs),
    reason: head.reason,
    cause: causeOf(head.reason, head.lastAttempt),
    attempt_count: head.lastAttempt?.no ?? head.attemptNo - 1,
    last_attempt: head.lastAttempt ?? null,
    seq: head.eventSeq,
    frame: eventBytes.length > 0 ? new Binary(eventBytes) : null,
    replayed_at: null,
    replay: null,
    discarded_at: null,
  };
}

function causeOf(reason: string, attempt: AttemptRecord | undefined): string {
  if (attempt?.failure === undefined) return reason;
  return attempt.failure === 'http_status' ? `http_${attempt.status}` : attempt.failure;
}
