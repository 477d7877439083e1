/**
 * Operational events (DL-11): what the platform tells of itself, as ordinary events of a tenant and, where the
 * operator named a tenant of its own (`POSTHORN_OPERATOR_TENANT`), of that tenant too.
 *
 * They are written to an outbox together with what they tell of, and published from there (`outbox.ts`). Their
 * ids are computed, so what is told again after a crash is the same event and makes no second delivery.
 */
import { createHash } from 'node:crypto';
import type { AnyBulkWriteOperation, ClientSession } from 'mongodb';
import type { OperationalEventType } from '#wire/openapi/operational-events.ts';
import type { HealthStore, OperationalEventDocument } from '#infra/mongo/endpoint-health.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

export interface OperationalEvent {
  /** Life id. */
  tenant: string;
  type: OperationalEventType;
  /** Of what it tells, and no other: the event's id is made of it and the type. */
  key: string;
  /** Self-contained: who reads it needs no further request. */
  data: Record<string, unknown>;
}

export interface TellDeps {
  store: Pick<HealthStore, 'outbox'>;
  /** Gets the events of every tenant. */
  operatorTenant: string | undefined;
  lives: Pick<CurrentLives, 'find'>;
  clock: () => number;
}

/** Puts events into the outbox; one that is there already stays as it is. */
export async function tell(
  deps: TellDeps,
  events: readonly OperationalEvent[],
  session?: ClientSession,
): Promise<void> {
  if (events.length === 0) return;
  const at = new Date(deps.clock());
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
