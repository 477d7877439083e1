/**
 * Stores operational events (DL-11): facts that the platform announces as ordinary events to a
 * tenant, and also to the operator's own tenant if there is one (`POSTHORN_OPERATOR_TENANT`).
 * They are written to an outbox in the transaction of the change that they announce, and published
 * from there (`outbox.ts`). Their ids are derived from their content, so a repeat after a crash is
 * the same event and causes no second delivery.
 */
import { createHash } from 'node:crypto';
import type { AnyBulkWriteOperation, ClientSession } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import type { OperationalEventType } from '#wire/openapi/operational-events.ts';
import type { HealthStore, OperationalEventDocument } from '#infra/mongo/endpoint-health.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

export interface OperationalEvent {
  /** Life id of the tenant (ADR 0028). */
  tenant: string;
  type: OperationalEventType;
  /** Identifies the announced fact: the event id is derived from it and the type. */
  key: string;
  /** Complete: a receiver needs no further request. */
  data: Record<string, unknown>;
}

export interface OperationalEventDeps {
  store: Pick<HealthStore, 'outbox'>;
  /** The tenant that also receives the operational events of all other tenants. */
  operatorTenant: string | undefined;
  lives: Pick<CurrentLives, 'find'>;
  clock: Clock;
}

/** Inserts events into the outbox. An event that is already there is not changed. */
export async function enqueueOperationalEvents(
  deps: OperationalEventDeps,
  events: readonly OperationalEvent[],
  session?: ClientSession,
): Promise<void> {
  if (events.length === 0) return;
  const at = new Date(deps.clock.wallMs());
  const { operatorTenant } = deps;
  const operator = operatorTenant && ((await deps.lives.find(operatorTenant)) ?? operatorTenant);
  const operations = events.flatMap((event) => {
    const receivers = new Set([event.tenant, operator ?? event.tenant]);
    return [...receivers].map((tenant) => insertOnce(tenant, event, at));
  });
  await deps.store.outbox.bulkWrite(operations, {
    ordered: false,
    ...(session === undefined ? {} : { session }),
  });
}

function insertOnce(
  tenant: string,
  event: OperationalEvent,
  at: Date,
): AnyBulkWriteOperation<OperationalEventDocument> {
  const digest = createHash('sha256').update(`${event.tenant}\n${event.type}\n${event.key}`);
  const id = `evt_${digest.digest('base64url').slice(0, 26)}`;
  const { type } = event;
  return {
    updateOne: {
      filter: { _id: `${tenant}/${id}` },
      update: { $setOnInsert: { tenant, id, type, data: JSON.stringify(event.data), at } },
      upsert: true,
    },
  };
}
