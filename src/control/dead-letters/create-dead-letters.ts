import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Registry } from 'prom-client';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Service } from '#infra/service.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { HistoryReadDeps } from '../history/event-reads.ts';
import { DeadLetterActions, type DeadLetterActionsDeps } from './actions.ts';
import { createDeadLetterProjector } from './projector.ts';
import { DeadLetterReads } from './reads.ts';

export interface DeadLettersDeps
  extends HistoryReadDeps, Omit<DeadLetterActionsDeps, 'reads' | 'config'> {
  config: ConfigView;
  nc: NatsConnection;
  lives: TenantLives;
  registry: Registry;
  log: Log;
  announce: (letters: readonly DeadLetterDocument[]) => Promise<void>;
}

/** The parts of the control plane that handle dead letters. */
export interface DeadLetters {
  deadLetterReads: DeadLetterReads;
  deadLetterActions: DeadLetterActions;
  projector: Service;
}

/** Creates the parts that read, replay, discard and store dead letters (DL-10). */
export function createDeadLetters(deps: DeadLettersDeps): DeadLetters {
  const deadLetterReads = new DeadLetterReads(deps);
  return {
    deadLetterReads,
    deadLetterActions: new DeadLetterActions({ ...deps, reads: deadLetterReads }),
    projector: createDeadLetterProjector(deps),
  };
}
