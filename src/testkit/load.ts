import { TEST_KEY, type System } from './system.ts';
import { waitUntil } from './wait-until.ts';
import type { WebhookReceiver } from './webhook-receiver.ts';

export interface LoadOptions {
  system: System;
  receiver: WebhookReceiver;
  tenants: number;
  events: number;
  /** Requests under way at once. */
  producers: number;
  /** Called with how many were accepted, after each answer; faults are made here. */
  onProgress?: (accepted: number) => void;
}

/** What was accepted, by event id: the tenant it was sent to. */
export type Accepted = Map<string, string>;

/** Makes `count` tenants with one endpoint each, at `/<tenant>` of the receiver. */
export async function makeTenants(
  system: System,
  receiver: WebhookReceiver,
  count: number,
): Promise<string[]> {
  const tenants = Array.from({ length: count }, (_, i) => `t${i}`);
  for (const tenant of tenants) {
    await system.api('PUT', `/v1/tenants/${tenant}`, {});
    const url = receiver.url(`/${tenant}`);
    const made = await system.api('POST', `/v1/tenants/${tenant}/endpoints`, { url });
    if (made.status !== 201) throw new Error(`no endpoint: ${JSON.stringify(made.body)}`);
  }
  return tenants;
}

/** Publishes events with ids of the producer's own, each until it is accepted, as a careful producer does. */
export async function publishAll(options: LoadOptions): Promise<Accepted> {
  const accepted: Accepted = new Map();
  let next = 0;
  const produce = async (): Promise<void> => {
    while (next < options.events) {
      const i = next++;
      const tenant = `t${i % options.tenants}`;
      const id = `e${i}`;
      await publishUntilAccepted(options.system, tenant, id);
      accepted.set(id, tenant);
      options.onProgress?.(accepted.size);
    }
  };
  await Promise.all(Array.from({ length: options.producers }, produce));
  return accepted;
}

async function publishUntilAccepted(system: System, tenant: string, id: string): Promise<void> {
  const body = JSON.stringify({ id, type: 'load.tick', data: { id } });
  await waitUntil(
    async () => {
      const response = await fetch(`${system.url('ingress')}/v1/tenants/${tenant}/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
        body,
      });
      await response.arrayBuffer();
      return response.status === 202;
    },
    { what: `${id} accepted`, deadlineMs: 60_000, intervalMs: 50 },
  );
}

export interface Outcome {
  lost: string[];
  /** Webhooks beyond the first for an event. */
  duplicates: number;
}

/** Waits until every accepted event was received at its tenant's endpoint, and counts what came twice. */
export async function settle(
  receiver: WebhookReceiver,
  accepted: Accepted,
  deadlineMs: number,
): Promise<Outcome> {
  const missing = (): string[] => {
    const seen = new Set(receiver.requests.map((r) => `${r.path}/${r.headers['webhook-id']}`));
    return [...accepted].filter(([id, tenant]) => !seen.has(`/${tenant}/${id}`)).map(([id]) => id);
  };
  let lost: string[] = [];
  await waitUntil(() => (lost = missing()).length === 0, {
    what: 'every accepted event received',
    deadlineMs,
    intervalMs: 200,
  }).catch(() => undefined);
  const received = receiver.requests.filter(
    (request) => request.headers['webhook-id'] !== undefined,
  );
  return { lost, duplicates: received.length - (accepted.size - lost.length) };
}
