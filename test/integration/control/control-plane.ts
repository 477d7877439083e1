import { createCheckLarge } from '#infra/schema-check/create-check-large.ts';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { FastifyInstance } from 'fastify';
import { type Db, MongoClient } from 'mongodb';
import { Registry } from 'prom-client';
import type { ControlSettings } from '#config/sections.ts';
import { systemClock } from '#infra/system-clock.ts';
import { SecretBox } from '#infra/crypto/secret-box.ts';
import { createApp } from '#infra/http/server/app.ts';
import {
  createFindCaller,
  type FindCaller,
  type TokenKind,
} from '#infra/http/callers/find-caller.ts';
import { KeyUses } from '#infra/http/callers/key-uses.ts';
import { WrongKeys } from '#infra/http/callers/wrong-keys.ts';
import { createAuthenticator } from '#infra/http/server/authenticate.ts';
import { ConfigStore } from '#infra/nats/stores/config-store.ts';
import { NatsPayloadStore } from '#infra/nats/stores/nats-payload-store.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import { ensureTopology } from '#infra/nats/streams/streams.ts';
import { TenantLives } from '#infra/tenant-lives.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { type Control, createControl } from '#src/control/mod.ts';
import { testSettings } from '#testkit/test-settings.ts';
import { startNatsServer, testMongo, type TestServer } from '#testkit/servers.ts';
import { rateLimitsAlone } from '#testkit/rate-limits-alone.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { PayloadLinks } from '#wire/webhook/payload-link.ts';
import { buckets } from '#wire/subjects.ts';

export const PLATFORM_KEY = 'phk_p_bootstrap-0123456789';

export interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read answers of many forms
  body: any;
  text: string;
  headers: Record<string, string | string[] | number | undefined>;
}

export interface ControlPlane {
  app: FastifyInstance;
  control: Control;
  config: ConfigStore;
  db: Db;
  mongo: MongoClient;
  mongoUrl: string;
  kv: KV;
  nc: NatsConnection;
  nats: TestServer;
  secretBox: SecretBox;
  payloads: NatsPayloadStore;
  payloadLinks: PayloadLinks;
  registry: Registry;
  /** A request with the platform key, or with what `options` says. */
  call(method: string, path: string, body?: object, options?: CallOptions): Promise<Answer>;
  /** Another control process on the same servers. */
  startAnother(): Control;
}

export interface CallOptions {
  key?: string | undefined;
  headers?: Record<string, string>;
}

/** No private network. */
const NO_EGRESS = { allow: '', probeReceiverUrl: undefined };
/** Loopback addresses. */
export const LOOPBACK_EGRESS = { allow: '127.0.0.0/8', probeReceiverUrl: undefined };

export interface ControlPlaneOptions {
  /** A mongod of the test's own, that it may kill; else a database of the run's. */
  mongodUrl?: string;
  settings?: Partial<ControlSettings>;
  /** Absent: any. */
  masterKey?: string;
  /** Further kinds of tokens. */
  tokens?: readonly TokenKind[];
  /** Absent: wrong keys are not slowed, because tests send many from one address. */
  wrongKeysPerMinute?: number;
  /** Leave the service (sync, purger) stopped. */
  idle?: boolean;
}

/** The control plane of one process on real servers; gone when the test ends. */
export async function startControlPlane(
  t: Pick<TestContext, 'after'>,
  options: ControlPlaneOptions = {},
): Promise<ControlPlane> {
  const undo: (() => unknown)[] = [];
  t.after(async () => {
    for (const step of undo.toReversed()) await step();
  });
  const nats = await startNatsServer();
  undo.push(() => nats.dispose());
  const settings = testSettings({ control: { egress: NO_EGRESS, ...options.settings } });
  const nc = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  undo.push(() => nc.close());
  const { mongo, db, mongoUrl, dispose } = await openDatabase(options.mongodUrl);
  undo.push(dispose);
  const log = createLog('silent');
  const js = jetstream(nc);
  await ensureTopology(js, await jetstreamManager(nc), settings.streams);
  const openBucket = (): Promise<KV> => new Kvm(js).open(buckets.config);
  const config = new ConfigStore({ clock: systemClock, nc, log });
  undo.push(() => config.stop());
  await config.start();
  const authenticate = createAuthenticator({
    config,
    bootstrapKey: PLATFORM_KEY,
    clock: systemClock,
  });
  const uses = new KeyUses({ nc, clock: systemClock, log });
  const wrongKeys =
    options.wrongKeysPerMinute === undefined
      ? undefined
      : new WrongKeys({ perMinute: options.wrongKeysPerMinute, clock: systemClock });
  const findCallerBy = (tokens: readonly TokenKind[]): FindCaller =>
    createFindCaller({
      authenticate,
      tokens: [...tokens, ...(options.tokens ?? [])],
      uses,
      wrongKeys,
    });
  const secretBox = new SecretBox(options.masterKey ?? randomBytes(32).toString('base64'));
  const publisher = new Publisher({ clock: systemClock, nc, window: settings.publishWindow, log });
  undo.push(() => publisher.close());
  const records = new RecordBatcher({
    clock: systemClock,
    publisher,
    shards: settings.streams.shards,
    log,
  });
  undo.push(() => records.drain());
  const payloads = new NatsPayloadStore({ js, jsm: await jetstreamManager(nc) });
  const payloadLinks = new PayloadLinks(randomBytes(32).toString('base64'));
  const stores = { mongo, nc, publisher, records, payloads, payloadLinks };
  const deps = { ...stores, db, log, config, secretBox, findCallerBy, clock: systemClock };
  const registry = new Registry();
  const rates = rateLimitsAlone();
  const start = (metrics = new Registry()): Control => {
    const control = createControl({
      ...deps,
      registry: metrics,
      lives: new TenantLives({ clock: systemClock, config, log, registry: metrics }),
      settings: settings.control,
      checkLarge: createCheckLarge({
        eventBytesMax: settings.control.eventBytesMax,
        clock: systemClock,
        log,
      }),
      rates,
      http: settings.http,
    });
    undo.push(() => control.service.stop(5000));
    return control;
  };
  const control = start(registry);
  const app = createApp({ clock: systemClock, settings: settings.http, log });
  undo.push(() => app.close());
  control.registerRoutes(app);
  await app.ready();
  if (options.idle !== true) await control.service.start();
  const kv = await openBucket();
  return {
    app,
    control,
    config,
    db,
    mongo,
    mongoUrl,
    kv,
    nc,
    nats,
    secretBox,
    payloads,
    payloadLinks,
    registry,
    call: (method, path, body, callOptions) => call(app, method, path, body, callOptions),
    startAnother: () => start(),
  };
}

async function openDatabase(
  url: string | undefined,
): Promise<{ mongo: MongoClient; mongoUrl: string; db: Db; dispose: () => Promise<void> }> {
  if (url === undefined) {
    const shared = await testMongo();
    const { client: mongo, url: mongoUrl, db } = shared;
    return { mongo, mongoUrl, db, dispose: () => shared.dispose() };
  }
  const mongo = new MongoClient(url, { serverSelectionTimeoutMS: 1000, writeConcern: { w: 1 } });
  return { mongo, mongoUrl: url, db: mongo.db('posthorn'), dispose: () => mongo.close() };
}

async function call(
  app: FastifyInstance,
  method: string,
  path: string,
  body?: object,
  { key = PLATFORM_KEY, headers = {} }: CallOptions = {},
): Promise<Answer> {
  const answer = await app.inject({
    method: method as never,
    url: path,
    headers: { ...(key === '' ? {} : { authorization: `Bearer ${key}` }), ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
  const isJson = String(answer.headers['content-type']).includes('json') && answer.body !== '';
  return {
    status: answer.statusCode,
    body: isJson ? answer.json() : undefined,
    text: answer.body,
    headers: answer.headers,
  };
}

/** Returns the value of a key of CONFIG, once `fits` accepts it. */
export function configValue<T>(
  kv: KV,
  key: string,
  fits: (value: T) => boolean = () => true,
): Promise<T> {
  return waitUntil(
    async () => {
      const entry = await kv.get(key);
      if (entry === null || entry.operation !== 'PUT') return undefined;
      const value = entry.json<T>();
      return fits(value) ? { value } : undefined;
    },
    { what: `${key} in CONFIG`, deadlineMs: 15_000 },
  ).then(({ value }) => value);
}

/** An endpoint as the workers know it, once `fits` says that it is as it should be. */
export async function endpointInForce(
  kv: KV,
  tenant: string,
  id: string,
  fits: (endpoint: EndpointSnapshot) => boolean,
): Promise<EndpointSnapshot> {
  const of = ({ endpoints }: TenantSnapshot) => endpoints.find((endpoint) => endpoint.id === id);
  const snapshot = await configValue<TenantSnapshot>(kv, `tenant.${tenant}`, (known) => {
    const endpoint = of(known);
    return endpoint !== undefined && fits(endpoint);
  });
  return of(snapshot) as EndpointSnapshot;
}

export function configGone(kv: KV, key: string): Promise<unknown> {
  return waitUntil(async () => (await kv.get(key))?.operation !== 'PUT', {
    what: `${key} gone from CONFIG`,
    deadlineMs: 15_000,
  });
}
