/**
 * Writes the history to MongoDB in batches, from its own consumers of events and records (RT-7,
 * DL-12). No delivery depends on it: while MongoDB is unavailable, deliveries continue, the
 * messages wait in JetStream, and the history catches up afterwards.
 * A crash may repeat a batch, which changes nothing (`merge.ts`).
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import type { History } from '#infra/mongo/documents.ts';
import type { PulledMessage } from '#infra/nats/consume/batch-pull.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import { asBuffer, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { type EndpointGoneRecord, decodeRecords } from '#wire/frames/record.ts';
import { consumers, parseEventSubject, streams } from '#wire/subjects.ts';
import type { AttemptsByEndpoint } from '../health/attempts.ts';
import type { ChangedMinute } from '../metrics/changed-cells.ts';
import type { SeenType } from '../event-types/automatic-types.ts';
import { BatchProjector } from './batch-projector.ts';
import { Batch } from './merge.ts';
import { writeBatch } from './write.ts';

/** Maximum lag of the history while there is little to write. */
const ROUND_MS = 250;
const MESSAGES_MAX = 1000;

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
  markMetrics: (minutes: readonly ChangedMinute[]) => Promise<void>;
  clock: Clock;
}

/** Creates the projector of the history as a separate service. */
export function createProjector(deps: ProjectorDeps): Service {
  const { clock, nc, shards, log, registry } = deps;
  const consumer = consumers.projector;
  const written = writtenDocuments(registry);
  const projector = new BatchProjector<Batch>({
    name: 'projector',
    clock,
    nc,
    sources: Array.from({ length: shards }, (_, shard) => shard).flatMap((shard) => [
      { stream: streams.events(shard), consumer },
      { stream: streams.records(shard), consumer },
    ]),
    roundMs: ROUND_MS,
    messagesMax: MESSAGES_MAX,
    newBatch: () => new Batch(),
    add: (batch, message) => addMessage(deps.lives, batch, message),
    write: (batch) => write(deps, batch),
    onWritten: (batch) => {
      written.inc({ kind: 'event' }, batch.events.size);
      written.inc({ kind: 'delivery' }, batch.deliveries.size);
      written.inc({ kind: 'attempt' }, batch.attemptDocuments.size);
    },
    onUndecodable: (error, { subject }) =>
      log.error({ err: error, subject }, 'projector.undecodable'),
    onWriteFailed: (error) =>
      log.warn({ error: (error as Error).message }, 'projector.write_failed'),
  });
  exposeBlocked(deps, projector);
  return projector;
}

/** @throws SyntaxError for an undecodable message */
function addMessage(lives: ProjectorDeps['lives'], batch: Batch, message: PulledMessage): void {
  if (message.subject.startsWith('ev.')) {
    const { tenant } = parseEventSubject(message.subject);
    if (lives.drops(tenant, 'event')) return;
    batch.addEvent(tenant, message.seq, decodeEventFrame(asBuffer(message.data)));
    return;
  }
  for (const record of decodeRecords(message.data)) {
    if (!lives.drops(record.tenant, 'record')) batch.addRecord(record);
  }
}

async function write(deps: ProjectorDeps, batch: Batch): Promise<void> {
  await writeBatch(deps.history, batch);
  await deps.registerEventTypes([...batch.types.values()]);
  for (const record of batch.gone) await deps.disableGoneEndpoint(record);
  await deps.trackHealth(batch.attempts);
  await deps.markMetrics(batch.changedCells.all());
}

function writtenDocuments(registry: Registry): Counter<'kind'> {
  return new Counter({
    name: 'posthorn_projector_documents_total',
    help: 'Documents of the history written, by kind.',
    labelNames: ['kind'],
    registers: [registry],
  });
}

function exposeBlocked(deps: ProjectorDeps, projector: BatchProjector<Batch>): void {
  const blocked: Gauge = new Gauge({
    name: 'posthorn_projector_blocked_seconds',
    help: 'Seconds for which the history could not be written; 0 while it can.',
    registers: [deps.registry],
    collect: (): void => {
      const sinceMs = projector.blockedSinceMs;
      blocked.set(sinceMs === undefined ? 0 : (deps.clock.monotonicMs() - sinceMs) / 1000);
    },
  });
}
