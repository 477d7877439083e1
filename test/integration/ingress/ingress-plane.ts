import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { type KV, Kvm } from '@nats-io/kv';
import type { FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import type { IngressSettings } from '#config/sections.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createApp } from '#infra/http/server/app.ts';
import { createAuthenticator, keyHash } from '#infra/http/server/authenticate.ts';
import type { History } from '#infra/mongo/documents.ts';
import { newId } from '#domain/ids.ts';
import { ConfigStore } from '#infra/nats/stores/config-store.ts';
import { RateShareStore } from '#infra/nats/stores/rate-share-store.ts';
import { RateLimits } from '#infra/rate-limits/rate-limits.ts';
import { LifeView } from '#infra/nats/lives/life-view.ts';
import type { Service } from '#infra/service.ts';
import type { NatsAccess } from '#src/embedded/nats-server.ts';
import { createCheckLarge } from '#infra/schema-check/create-check-large.ts';
import { registerIngress } from '#src/ingress/mod.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { KeyScope } from '#domain/capabilities.ts';
import type { ApiKeySnapshot, EventTypeSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { buckets, configKeys, streams } from '#wire/subjects.ts';
import { metricValue } from '../metric-value.ts';
import { openHistory } from '../open-history.ts';
import { type NatsCore, startNatsCore, storedMessages } from '../nats-core.ts';

const BOOTSTRAP_KEY = 'a-platform-key-for-tests';

export interface IngressOptions {
  settings?: Partial<IngressSettings>;
  /** How much JetStream may store, by the settings. */
  bytesMax?: number;
  /** How much JetStream may store, by the server. */
  fileStoreBytesMax?: number;
  window?: number;
  /** Another MongoDB than that of the test run. */
  mongoUrl?: string;
  access?: NatsAccess;
}

export interface Answer {
  status: number;
  headers: Record<string, unknown>;
  // oxlint-disable-next-line typescript/no-explicit-any -- assertions check the shape
  body: any;
}

/** Ingress alone: real NATS and MongoDB, the configuration fed through the KV bucket. */
export class IngressPlane {
  readonly core: NatsCore;
  readonly history: History;
  readonly registry = new Registry();
  readonly config: ConfigStore;
  private readonly app: FastifyInstance;
  private readonly services: Service[];
  private readonly kv: KV;

  private constructor(core: NatsCore, kv: KV, leases: KV, history: History) {
    this.core = core;
    this.kv = kv;
    this.history = history;
    const { settings, log, publisher, payloads, nc, jsm } = core;
    this.config = new ConfigStore(core);
    this.app = createApp({ clock: systemClock, settings: settings.http, log });
    const { config, registry } = this;
    const authenticate = createAuthenticator({
      config,
      bootstrapKey: BOOTSTRAP_KEY,
      clock: systemClock,
    });
    const view = new LifeView({
      clock: systemClock,
      nc,
      leases,
      config,
      me: newId('req', Date.now()),
      log,
    });
    const shares = new RateShareStore({
      nc,
      me: newId('req', Date.now()),
      doors: ['events'],
      clock: systemClock,
      log,
    });
    const rates = new RateLimits({ shares, registry, clock: systemClock });
    const deps = {
      settings: settings.ingress,
      rates,
      storage: settings.streams,
      nc,
      jsm,
      view,
      payloads,
      config,
      publisher,
      history,
      findCaller: authenticate,
      findKey: authenticate,
      checkLarge: createCheckLarge({
        eventBytesMax: settings.ingress.eventBytesMax,
        clock: systemClock,
        log,
      }),
      registry,
      log,
    };
    this.services = [
      view,
      shares,
      rates,
      ...registerIngress(this.app, { ...deps, clock: systemClock }),
    ];
  }

  /** With the tenant `acme`, known. */
  static async start(t: TestContext, options: IngressOptions = {}): Promise<IngressPlane> {
    const stops: (() => Promise<unknown>)[] = [];
    t.after(async () => {
      for (const stop of stops.toReversed()) await stop();
    });
    const { bytesMax, fileStoreBytesMax } = options;
    const settings = { ingress: options.settings ?? {}, streams: { bytesMax } };
    const window = options.window === undefined ? {} : { window: options.window };
    const access = options.access === undefined ? {} : { access: options.access };
    const core = await startNatsCore(t, {
      settings,
      ...window,
      ...access,
      ...(fileStoreBytesMax === undefined ? {} : { fileStoreBytesMax }),
    });
    const kv = await new Kvm(core.js).open(buckets.config);
    const history = await openHistory(options.mongoUrl, stops);
    const leases = await new Kvm(core.js).open(buckets.leases);
    const plane = new IngressPlane(core, kv, leases, history);
    stops.push(async () => plane.config.stop());
    stops.push(() => plane.app.close());
    for (const service of plane.services) stops.push(() => service.stop(5000));
    await plane.tenant('acme');
    await plane.config.start();
    for (const service of plane.services) await service.start();
    return plane;
  }

  async tenant(id: string, changes: Partial<TenantSnapshot> = {}): Promise<void> {
    const rev = (this.config.currentTenant(id)?.rev ?? 0) + 1;
    const snapshot: TenantSnapshot = {
      v: 1,
      id,
      rev,
      weight: 1,
      endpoints: [],
      subscriptions: [],
      ...changes,
    };
    await this.kv.put(configKeys.tenant(id), JSON.stringify(snapshot));
  }

  async eventType(name: string, changes: Partial<EventTypeSnapshot> = {}): Promise<void> {
    const snapshot: EventTypeSnapshot = {
      v: 1,
      name,
      rev: 1,
      state: 'ACTIVE',
      sensitive: false,
      ...changes,
    };
    await this.kv.put(configKeys.eventType(name), JSON.stringify(snapshot));
    await waitUntil(() => this.config.eventType(name) !== undefined);
  }

  async key(key: string, scope: KeyScope, changes: Partial<ApiKeySnapshot> = {}): Promise<void> {
    const snapshot = { v: 1, id: `key_${key}`, rev: 1, scope, ...changes };
    await this.kv.put(configKeys.apiKey(keyHash(key)), JSON.stringify(snapshot));
    await waitUntil(() => this.config.apiKey(keyHash(key)) !== undefined);
  }

  async revokeKey(key: string): Promise<void> {
    await this.kv.delete(configKeys.apiKey(keyHash(key)));
    await waitUntil(() => this.config.apiKey(keyHash(key)) === undefined);
  }

  /** Sends a body, as JSON unless the headers say otherwise. */
  async post(
    body: unknown,
    options: { headers?: Record<string, string>; path?: string } = {},
  ): Promise<Answer> {
    const isRaw = typeof body === 'string' || Buffer.isBuffer(body) || body instanceof Readable;
    const payload = isRaw ? body : JSON.stringify(body);
    const answer = await this.app.inject({
      method: 'POST',
      url: options.path ?? '/v1/tenants/acme/events',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${BOOTSTRAP_KEY}`,
        ...options.headers,
      },
      payload,
    });
    return { status: answer.statusCode, headers: answer.headers, body: answer.json() };
  }

  batch(body: unknown): Promise<Answer> {
    return this.post(body, { path: '/v1/tenants/acme/events/batch' });
  }

  broadcast(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.post(body, { path: '/v1/events', headers });
  }

  /** Every event that is stored, in order. */
  async stored(
    stream: string = streams.events(0),
  ): Promise<(EventFrame & { subject: string; messageId: string; seq: number })[]> {
    const messages = await storedMessages(this.core.jsm, stream);
    return messages.map(({ subject, messageId, seq, data }) => ({
      ...decodeEventFrame(data),
      subject,
      messageId,
      seq,
    }));
  }

  metric(name: string, labels?: Record<string, string>): Promise<number> {
    return metricValue(this.registry, name, labels);
  }
}
