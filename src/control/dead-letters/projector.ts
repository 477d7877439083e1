/**
 * Copies dead letters from the stream DLQ to MongoDB (DL-10). It has its own consumer, so that a
 * flood of dead letters does not delay other history.
 * A dead letter has the id of its delivery. So a message that is redelivered after a crash
 * finds its document and leaves it unchanged, even if it was replayed or discarded.
 */
import { Binary } from 'mongodb';
import type { NatsConnection } from '@nats-io/nats-core';
import { Counter, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import { duplicateKeys } from '#infra/mongo/duplicate-keys.ts';
import type { DeadLetterDocument, History } from '#infra/mongo/documents.ts';
import type { PulledMessage } from '#infra/nats/consume/batch-pull.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import { deadLetterReasons, decodeDeadLetterFrame } from '#wire/frames/dead-letter-frame.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';
import { consumers, parseDeadLetterSubject, streams } from '#wire/subjects.ts';
import { BatchProjector } from '../projector/batch-projector.ts';

const ROUND_MS = 500;
const MESSAGES_MAX = 500;

export interface DeadLetterProjectorDeps {
  clock: Clock;
  nc: NatsConnection;
  history: Pick<History, 'deadLetters'>;
  lives: Pick<TenantLives, 'drops'>;
  registry: Registry;
  log: Log;
  /** Called before the dead letters are written, and again for redelivered ones. */
  announce: (letters: readonly DeadLetterDocument[]) => Promise<void>;
  /** Called after they are written. */
  markIssues: (letters: readonly DeadLetterDocument[]) => Promise<void>;
}

/** Creates the projector of dead letters as a separate service. */
export function createDeadLetterProjector(deps: DeadLetterProjectorDeps): Service {
  const { clock, nc, lives, log, registry } = deps;
  const written = new Counter({
    name: 'posthorn_projector_dead_letters_total',
    help: 'Dead letters written to the database, by reason.',
    labelNames: ['reason'],
    registers: [registry],
  });
  // Start each series at 0: `increase` would miss the first dead letters of a series that starts
  // with them.
  for (const reason of deadLetterReasons) written.inc({ reason }, 0);
  return new BatchProjector<DeadLetterDocument[]>({
    name: 'dead-letter-projector',
    clock,
    nc,
    sources: [{ stream: streams.deadLetters, consumer: consumers.projector }],
    roundMs: ROUND_MS,
    messagesMax: MESSAGES_MAX,
    newBatch: () => [],
    add: (batch, message) => {
      const letter = readDeadLetter(message);
      if (!lives.drops(letter.tenant, 'dead_letter')) batch.push(letter);
    },
    write: (batch) => write(deps, batch),
    onWritten: (batch) => {
      for (const { reason } of batch) written.inc({ reason });
    },
    onUndecodable: (error, { subject }) =>
      log.error({ err: error, subject }, 'dead_letters.undecodable'),
    onWriteFailed: (error) =>
      log.warn({ error: (error as Error).message }, 'dead_letters.write_failed'),
  });
}

async function write(deps: DeadLetterProjectorDeps, letters: DeadLetterDocument[]): Promise<void> {
  if (letters.length === 0) return;
  await deps.announce(letters);
  try {
    await deps.history.deadLetters.insertMany(letters, { ordered: false });
  } catch (error) {
    if (duplicateKeys(error) === undefined) throw error;
  }
  await deps.markIssues(letters);
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
    ...(head.sequence === undefined ? {} : { sequence: head.sequence }),
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
