import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { connectNats } from '#infra/nats/connection.ts';
import { readBehind } from '#infra/nats/stores/behind-store.ts';
import type { Service } from '#infra/service.ts';
import type { BehindStep } from '#src/router/behind/behind-tenant.ts';
import { type TcpRelay, startTcpRelay } from '#testkit/network/tcp-relay.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { BehindTenantState } from '#wire/behind-state.ts';
import type { EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import {
  buckets,
  consumers,
  leaseKeys,
  parseDeliverySubject,
  streams,
  subjects,
} from '#wire/subjects.ts';
import {
  RouterPlane,
  type RouterPlaneOptions,
  endpoint,
  subscription,
  tenant,
} from '../router-plane.ts';

/** Small, so that a tenant is soon behind: it may hold 15 of these places. */
export const WINDOW = 20;

export const ORDERED = 'ep_ordered';

/** A tenant with an ordered endpoint and this many others, which all match every event. */
export function greedy(id: string, endpoints: number): TenantSnapshot {
  const ordered: EndpointSnapshot = {
    ...endpoint(ORDERED),
    ordered: { onExhausted: 'dead_letter' },
  };
  const others = Array.from({ length: endpoints }, (_, i) => endpoint(`ep_${i}`));
  return tenant(
    [ordered, ...others],
    [ordered, ...others].map((one) => subscription(one.id, ['*'])),
    id,
  );
}

/** A router plane whose consumer has a small window; its router is not started. */
export async function startNarrow(
  t: TestContext,
  tenants: TenantSnapshot[],
  options: RouterPlaneOptions = {},
): Promise<RouterPlane> {
  const plane = await RouterPlane.start(t, tenants, { window: 8, ...options, started: false });
  await plane.core.jsm.consumers.update(streams.events(0), consumers.router, {
    max_ack_pending: WINDOW,
  });
  return plane;
}

export async function publishMany(
  plane: RouterPlane,
  tenantId: string,
  from: number,
  count: number,
): Promise<void> {
  const all = Array.from({ length: count }, (_, i) => from + i);
  await Promise.all(all.map((n) => plane.publish(`${tenantId}-${n}`, { tenant: tenantId })));
}

/** The tenants that are behind in shard 0. */
export async function behind(plane: RouterPlane): Promise<Record<string, BehindTenantState>> {
  return (await readBehind(plane.core.jsm, 0))?.state?.tenants ?? {};
}

export async function untilBehind(plane: RouterPlane, lifeId: string): Promise<void> {
  await waitUntil(async () => lifeId in (await behind(plane)), { what: `${lifeId} is behind` });
}

export async function untilNoneBehind(plane: RouterPlane): Promise<void> {
  await waitUntil(async () => Object.keys(await behind(plane)).length === 0, {
    what: 'no tenant is behind',
  });
}

/** Event sequences of a tenant's deliveries by endpoint, in the order of DLV-0. */
async function delivered(plane: RouterPlane, tenantId: string): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (const { subject, data } of await plane.deliveries()) {
    const parts = parseDeliverySubject(subject);
    if (parts.tenant !== tenantId) continue;
    const seqs = found.get(parts.endpoint) ?? [];
    seqs.push(decodeDeliveryFrame(data).head.eventSeq);
    found.set(parts.endpoint, seqs);
  }
  return found;
}

/** The number of stored deliveries of a tenant. */
export async function deliveryCount(plane: RouterPlane, tenantId: string): Promise<number> {
  const { state } = await plane.core.jsm.streams.info(streams.deliveries(0), {
    subjects_filter: 'dlv.>',
  });
  let count = 0;
  for (const [subject, messages] of Object.entries(state.subjects ?? {})) {
    if (parseDeliverySubject(subject).tenant === tenantId) count += messages;
  }
  return count;
}

/** Sequences of a tenant's events in EV-0. */
export async function eventSeqs(plane: RouterPlane, tenantId: string): Promise<number[]> {
  const { state } = await plane.core.jsm.streams.info(streams.events(0));
  const seqs: number[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await plane.core.jsm.direct.getMessage(streams.events(0), { seq });
    if (message?.subject.startsWith(subjects.eventsOf(tenantId).slice(0, -1))) seqs.push(seq);
  }
  return seqs;
}

/** Each endpoint of the tenant got each event once, the ordered one in order. */
export async function assertAllOnce(plane: RouterPlane, snapshot: TenantSnapshot): Promise<void> {
  const seqs = await eventSeqs(plane, snapshot.id);
  const total = seqs.length * snapshot.endpoints.length;
  await waitUntil(async () => (await deliveryCount(plane, snapshot.id)) >= total, {
    what: 'every event is routed',
    deadlineMs: 60_000,
    intervalMs: 50,
  });
  await plane.settled();
  await untilNoneBehind(plane);
  const byEndpoint = await delivered(plane, snapshot.id);
  for (const { id } of snapshot.endpoints) {
    const all = byEndpoint.get(id) ?? [];
    const found = id === ORDERED ? all : all.toSorted((a, b) => a - b);
    assert.deepEqual(found, seqs, `deliveries to ${id}`);
  }
}

/** A router that can be cut off from NATS and stays so, as after a SIGKILL. */
export interface KillableRouter {
  router: Service;
  /** Resolves at the step at which the router dies. */
  died: Promise<void>;
  kill: () => Promise<void>;
}

/**
 * @param diesAt it is cut off at this step of a tenant, and goes no further
 */
export async function killableRouter(
  plane: RouterPlane,
  name: string,
  diesAt?: BehindStep,
): Promise<KillableRouter> {
  const relay: TcpRelay = await startTcpRelay(Number(new URL(plane.core.server.url).port));
  const { promise: died, resolve } = Promise.withResolvers<void>();
  let isCutOff = false;
  const kill = async (): Promise<void> => {
    isCutOff = true;
    await relay.close();
    resolve();
    // The server would expire its leases after 4 s.
    const leases = await new Kvm(plane.core.js).open(buckets.leases);
    await leases.delete(leaseKeys('router').shard(0));
    await leases.delete(leaseKeys('router').worker(name));
  };
  const router = await plane.another(name, 8, {
    isCutOff: () => isCutOff,
    connect: () => connectNats(`nats://127.0.0.1:${relay.port}`, name, plane.core.log),
    onBehindStep: async (step) => {
      if (step !== diesAt) return;
      await kill();
      await new Promise(() => {});
    },
  });
  return { router, died, kill };
}
