import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import { Registry } from 'prom-client';
import { systemClock } from '#infra/system-clock.ts';
import { BroadcastStore } from '#infra/nats/stores/broadcast-store.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { Broadcaster, type BroadcasterDeps } from '#src/router/broadcast/broadcaster.ts';
import { FaultyFilters } from '#src/router/mod.ts';
import type { WalkStep } from '#src/router/broadcast/walk.ts';
import type { SettingsChanges } from '#testkit/test-settings.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { BroadcastProgress } from '#wire/frames/broadcast.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { type EventHead, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { consumers, streams, subjects } from '#wire/subjects.ts';
import { type NatsCore, startNatsCore, storedMessages } from '../nats-core.ts';
import { endpoint, subscription, tenant } from './router-plane.ts';

/** Short enough for a test, long enough for a slow machine to signal its progress. */
export const ACK_WAIT_MS = 2000;

/** Broadcasters on a real NATS, the configuration a map that the test writes. */
export class BroadcastPlane {
  readonly core: NatsCore;
  readonly store: BroadcastStore;
  readonly tenants: Map<string, TenantSnapshot>;
  private readonly t: TestContext;

  private constructor(t: TestContext, core: NatsCore, tenants: TenantSnapshot[]) {
    this.t = t;
    this.core = core;
    this.tenants = new Map(tenants.map((one) => [one.id, one]));
    const jsm = async () => core.jsm;
    this.store = new BroadcastStore({ clock: systemClock, publisher: core.publisher, jsm });
  }

  static async start(
    t: TestContext,
    tenants: TenantSnapshot[],
    changes: SettingsChanges = {},
  ): Promise<BroadcastPlane> {
    const router = { broadcastEndpointsPerSecond: 100_000, ...changes.router };
    const core = await startNatsCore(t, { settings: { ...changes, router } });
    await core.jsm.consumers.update(streams.broadcasts, consumers.broadcaster, {
      ack_wait: nanos(ACK_WAIT_MS),
    });
    // No router runs here: events it has not consumed would pause the broadcast.
    await core.jsm.consumers.update(streams.events(0), consumers.router, {
      filter_subject: 'ev.0.nobody.>',
    });
    return new BroadcastPlane(t, core, tenants);
  }

  /**
   * A router's broadcaster with its own connection.
   *
   * @param onStep runs between two steps; one that never resolves simulates a crash there
   */
  async broadcaster(
    onStep?: BroadcasterDeps['onStep'],
  ): Promise<{ kill: () => Promise<void>; stop: (deadlineMs: number) => Promise<void> }> {
    const { core, t } = this;
    const nc = await core.connect();
    const publisher = new Publisher({ clock: systemClock, nc, window: 256, log: core.log });
    const broadcaster = new Broadcaster({
      ...core,
      settings: core.settings.router,
      js: jetstream(nc),
      jsm: await jetstreamManager(nc),
      publisher,
      brokerNow: Date.now,
      config: { tenant: (id) => this.tenants.get(id) },
      lifeIds: () => this.tenants.keys(),
      catchUp: async () => {},
      registry: new Registry(),
      faultyFilters: new FaultyFilters({ log: core.log, registry: new Registry() }),
      ackWaitMs: ACK_WAIT_MS,
      ...(onStep === undefined ? {} : { onStep }),
    });
    await broadcaster.start();
    t.after(async () => {
      await broadcaster.stop(0);
      publisher.close();
    });
    return {
      stop: (deadlineMs) => broadcaster.stop(deadlineMs),
      kill: async () => {
        publisher.close();
        await nc.close();
      },
    };
  }

  async publish(id: string, type = 'order.created', data = '{"total":12}'): Promise<void> {
    const head: EventHead = {
      id,
      type,
      source: '/shop',
      time: '2026-01-31T12:00:00Z',
      kind: 'json',
      acceptedMs: Date.now(),
      correlationId: 'req_1',
      broadcast: true,
    };
    assert.ok(await this.store.add(id, encodeEventFrame(head, data), 5000));
  }

  ended(id: string): Promise<BroadcastProgress> {
    return waitUntil(
      async () => {
        const { progress } = await this.store.progress(id);
        const info = await this.core.jsm.consumers.info(streams.broadcasts, consumers.broadcaster);
        const isAcked = info.num_ack_pending === 0 && info.num_pending === 0;
        return progress?.endedMs !== undefined && isAcked ? progress : undefined;
      },
      { what: `${id} has ended`, deadlineMs: 60_000 },
    );
  }

  /** The message id of every event in the streams of the tenants, in order of their storing. */
  async copies(): Promise<string[]> {
    return (await storedMessages(this.core.jsm, streams.events(0))).map((one) => one.messageId);
  }

  /** Lets the stream forget message ids: only look-ups in the streams then prevent duplicates. */
  async forgetMessageIds(): Promise<void> {
    const { config } = await this.core.jsm.streams.info(streams.events(0));
    const duplicate_window = nanos(100);
    await this.core.jsm.streams.update(streams.events(0), { ...config, duplicate_window });
  }

  /** An event of a tenant itself. */
  async publishTo(tenantId: string, id: string, type = 'order.created'): Promise<void> {
    const head = {
      id,
      type,
      source: '/',
      time: '',
      kind: 'json',
      acceptedMs: 0,
      correlationId: '',
    };
    await this.core.publisher.publishAsync({
      subject: subjects.event(tenantId, type),
      payload: encodeEventFrame(head as EventHead, '1'),
      messageId: `${tenantId}:${id}`,
      timeoutMs: 5000,
    });
  }
}

/** Tenants with one endpoint that wants every event. */
export function manyTenants(count: number, prefix = 't'): TenantSnapshot[] {
  return Array.from({ length: count }, (_, i) =>
    tenant([endpoint('ep_1')], [subscription('ep_1', ['*'])], `${prefix}${i}`),
  );
}

/** Stops dead at the `nth` time of a step. */
export function diesAt(
  step: WalkStep,
  nth = 1,
): { onStep: (at: WalkStep) => Promise<void>; dead: Promise<void> } {
  const { promise: dead, resolve } = Promise.withResolvers<void>();
  let seen = 0;
  return {
    dead,
    onStep: async (at) => {
      if (at === step && ++seen >= nth) {
        resolve();
        await new Promise(() => {});
      }
    },
  };
}
