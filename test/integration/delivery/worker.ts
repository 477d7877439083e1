import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { Registry } from 'prom-client';
import { deliveryId } from '#domain/ids.ts';
import type {
  ClientCertificate,
  OutboundCredentials,
} from '#domain/endpoint/outbound-credentials.ts';
import type { RetryPolicy } from '#domain/outcome/verdict.ts';
import { SecretBox } from '#infra/crypto/secret-box.ts';
import { LaneStore } from '#infra/nats/stores/lane-store.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { LANE_RULES, type LaneRules } from '#src/delivery/lanes/lane-rules.ts';
import type { DeliverySettings } from '#config/sections.ts';
import { createDelivery } from '#src/delivery/mod.ts';
import { renewInProcess } from '../../kit/processes/renew-in-process.ts';
import type { SettingsChanges } from '#testkit/test-settings.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { TenantLives } from '#infra/tenant-lives.ts';
import type { EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import {
  type DeliveryHead,
  deliveryMessageId,
  encodeDeliveryFrame,
} from '#wire/frames/delivery-frame.ts';
import { type EventHead, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { sealCredentials } from '#wire/sealed-credentials.ts';
import { PayloadLinks } from '#wire/webhook/payload-link.ts';
import type { DeliveryRecord, EndpointGoneRecord } from '#wire/frames/record.ts';
import { newSecret } from '#wire/webhook/signature.ts';
import { type DeliveryClass, buckets, subjects } from '#wire/subjects.ts';
import { mapConfig } from '../map-config.ts';
import { metricValue } from '../metric-value.ts';
import { type NatsCore, type StoredMessage, startNatsCore, storedMessages } from '../nats-core.ts';

/** Two retries after a third of a second each; then the delivery is dead. */
const QUICK: RetryPolicy = {
  delaysSeconds: [0.3, 0.3],
  finalStatuses: [],
  retryAfterMaxMs: 60_000,
};

export interface WorkerOptions {
  settings?: Partial<DeliverySettings>;
  retryPolicy?: RetryPolicy;
  laneRules?: Partial<LaneRules>;
  /** Undefined: the default of all tests. */
  log?: Log;
}

/** The ack wait of the streams follows the time limit of attempts. */
function deliveryChanges(delivery: Partial<DeliverySettings> = {}): SettingsChanges {
  const { timeoutMs } = delivery;
  return timeoutMs === undefined
    ? { delivery }
    : { delivery, streams: { deliveryTimeoutMs: timeoutMs } };
}

/**
 * A delivery worker alone, with real NATS and receiver; its configuration is a map that the test
 * writes.
 */
export class Worker {
  readonly core: NatsCore;
  readonly receiver: WebhookReceiver;
  readonly tenants = new Map<string, TenantSnapshot>();
  readonly secret = newSecret();
  readonly registry = new Registry();
  lanes!: LaneStore;
  /** Replaces the read of a tenant from the configuration bucket. */
  onRefresh: (tenant: string) => void = () => {};
  /** Stops the worker that the test started with. */
  stopFirst: () => Promise<void> = () => Promise.resolve();
  private laneRules: LaneRules = LANE_RULES;
  private log: Log | undefined;
  readonly links = new PayloadLinks(randomBytes(32).toString('base64'));
  private readonly box = new SecretBox(randomBytes(32).toString('base64'));
  private events = 0;

  private readonly retryPolicy: RetryPolicy;

  private constructor(core: NatsCore, receiver: WebhookReceiver, retryPolicy: RetryPolicy) {
    this.core = core;
    this.receiver = receiver;
    this.retryPolicy = retryPolicy;
  }

  static async start(t: TestContext, options: WorkerOptions = {}): Promise<Worker> {
    const receiver = await WebhookReceiver.start();
    const stops: (() => Promise<void>)[] = [() => receiver.close()];
    // Registered before the resources it uses: hooks run in the order of registration.
    t.after(async () => {
      for (const stop of stops) await stop();
    });
    const core = await startNatsCore(t, { settings: deliveryChanges(options.settings) });
    const worker = new Worker(core, receiver, options.retryPolicy ?? QUICK);
    worker.lanes = new LaneStore(core);
    worker.log = options.log;
    worker.laneRules = { ...LANE_RULES, ...options.laneRules };
    await worker.lanes.start();
    stops.push(async () => worker.lanes.stop());
    worker.stopFirst = await worker.begin('worker-1', worker.registry);
    stops.push(() => worker.stopFirst());
    return worker;
  }

  /** Starts another worker on the same streams; returns a function that stops it. */
  async begin(name: string, registry = new Registry()): Promise<() => Promise<void>> {
    const { core } = this;
    const config = mapConfig(this.tenants);
    const leases = await new Kvm(core.js).open(buckets.leases);
    const service = createDelivery({
      brokerNow: Date.now,
      ...core,
      settings: core.settings.delivery,
      log: this.log ?? core.log,
      lanes: this.lanes,
      laneRules: this.laneRules,
      config,
      lives: new TenantLives({ clock: core.clock, config, log: core.log, registry }),
      refreshTenant: async (tenant) => this.onRefresh(tenant),
      secretBox: this.box,
      payloadLinks: this.links,
      registry,
      leases,
      renewer: renewInProcess(leases, core.clock, core.log),
      ordered: await new Kvm(core.js).open(buckets.ordered),
      worker: name,
      retryPolicy: this.retryPolicy,
    });
    await service.start();
    return () => service.stop(5000);
  }

  /** Adds or changes an endpoint: a new snapshot replaces the tenant's. */
  endpoint(tenant: string, id: string, changes: Partial<EndpointSnapshot> = {}): void {
    const known = this.tenants.get(tenant);
    const before = known?.endpoints.find((endpoint) => endpoint.id === id);
    const endpoint: EndpointSnapshot = {
      id,
      url: this.receiver.url(`/${tenant}/${id}`),
      state: 'active',
      format: 'standard',
      headers: {},
      secrets: [{ sealed: this.box.seal(this.secret, id) }],
      ...before,
      ...changes,
    };
    const others = known?.endpoints.filter((other) => other.id !== id) ?? [];
    this.tenants.set(tenant, {
      v: 1,
      id: tenant,
      weight: 1,
      ...known,
      rev: (known?.rev ?? 0) + 1,
      endpoints: [...others, endpoint],
      subscriptions: [],
    });
  }

  /** An endpoint's credentials in the form of its snapshot. */
  sealed(
    id: string,
    given: {
      headers?: Record<string, string>;
      credentials?: OutboundCredentials;
      certificate?: ClientCertificate;
    },
  ): Partial<EndpointSnapshot> {
    const seal = (text: string, context: string): string => this.box.seal(text, context);
    const { headers, credentials, certificate } = given;
    const out: Partial<EndpointSnapshot> = {};
    if (headers) out.sealedHeaders = sealCredentials(seal, 'headers', id, headers);
    if (credentials) out.sealedCredentials = sealCredentials(seal, 'credentials', id, credentials);
    if (certificate) {
      out.sealedCertificate = sealCredentials(seal, 'client_certificate', id, certificate);
    }
    return out;
  }

  /** Changes a tenant that has an endpoint. */
  tenant(id: string, changes: Partial<TenantSnapshot>): void {
    const known = this.tenants.get(id) as TenantSnapshot;
    this.tenants.set(id, { ...known, rev: known.rev + 1, ...changes });
  }

  /** Publishes a delivery like the router; returns the heads of the event and the delivery. */
  async publishDelivery(
    tenant: string,
    endpoint: string,
    options: {
      data?: string | Buffer;
      byReference?: boolean;
      seq?: number;
      type?: string;
      deliveryClass?: DeliveryClass;
      head?: Partial<EventHead>;
      delivery?: Partial<DeliveryHead>;
    } = {},
  ): Promise<{ event: EventHead; delivery: DeliveryHead }> {
    const acceptedMs = Date.now();
    const event: EventHead = {
      id: `e${this.events++}`,
      type: options.type ?? 'order.created',
      source: '/shop',
      time: new Date(acceptedMs).toISOString(),
      kind: 'json',
      acceptedMs,
      correlationId: 'req_1',
      ...options.head,
    };
    if (options.deliveryClass === 'h') event.priority = 'high';
    const frame = encodeEventFrame(event, options.data ?? '{"total": 1.0}');
    const delivery: DeliveryHead = {
      id: deliveryId(tenant, event.id, endpoint),
      endpoint,
      attemptNo: 1,
      hop: 0,
      eventSeq: options.seq ?? 0,
      ...options.delivery,
    };
    if (options.byReference === true) {
      const { id, type } = event;
      delivery.byReference = { id, type, acceptedMs };
      if (event.priority !== undefined) delivery.byReference.priority = event.priority;
      delivery.eventSeq = options.seq ?? (await this.storeEvent(tenant, event, frame));
    }
    const inline = options.byReference === true ? Buffer.alloc(0) : frame;
    await this.core.publisher.publishAsync({
      subject: subjects.delivery(tenant, endpoint, options.deliveryClass),
      payload: encodeDeliveryFrame(delivery, inline),
      messageId: deliveryMessageId(delivery.id, 0),
      timeoutMs: 10_000,
    });
    return { event, delivery };
  }

  private async storeEvent(tenant: string, event: EventHead, frame: Buffer): Promise<number> {
    const ack = await this.core.publisher.publishAsync({
      subject: subjects.event(tenant, event.type),
      payload: frame,
      messageId: `${tenant}:${event.id}`,
      timeoutMs: 10_000,
    });
    return ack.seq;
  }

  /** The records of a delivery up to the wanted status. */
  recordsUntil(id: string, status: DeliveryRecord['status']): Promise<DeliveryRecord[]> {
    return waitUntil(
      async () => {
        const records = (await this.core.storedRecords()).filter(
          (record): record is DeliveryRecord => record.k === 'delivery' && record.id === id,
        );
        return records.at(-1)?.status === status ? records : undefined;
      },
      { what: `${id} is ${status}`, deadlineMs: 30_000, intervalMs: 30 },
    );
  }

  async goneRecords(): Promise<EndpointGoneRecord[]> {
    const records = await this.core.storedRecords();
    return records.filter((record) => record.k === 'endpoint-gone');
  }

  /** The messages in the shard's stream: ready, waiting or held. */
  storedMessages(): Promise<StoredMessage[]> {
    return storedMessages(this.core.jsm, 'DLV-0');
  }

  async waitUntilEmpty(): Promise<void> {
    await waitUntil(async () => (await this.storedMessages()).length === 0, {
      what: 'the stream is empty',
    });
  }

  deadLetters(): Promise<StoredMessage[]> {
    return storedMessages(this.core.jsm, 'DLQ');
  }

  metric(name: string, labels?: Record<string, string>): Promise<number> {
    return metricValue(this.registry, name, labels);
  }
}
