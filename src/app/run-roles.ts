/** One process with some of the roles: the only place that builds adapters and joins the parts. */
import { hostname } from 'node:os';
import { type JetStreamClient, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { FastifyInstance } from 'fastify';
import type { MongoClient } from 'mongodb';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { otherMasterKeys, parseRoles } from '#config/load.ts';
import type { Role, Settings } from '#config/schema.ts';
import { ConfigError } from '#domain/errors.ts';
import { SecretBox } from '#infra/crypto/secret-box.ts';
import { createApp } from '#infra/http/app.ts';
import { createAuthenticator } from '#infra/http/authenticate.ts';
import { createMongoClient, historyOf } from '#infra/mongo/documents.ts';
import { keepConnecting } from '#infra/mongo/keep-connecting.ts';
import { BrokerClock, readBrokerClock } from '#infra/nats/broker-clock.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { ConfigStore } from '#infra/nats/config-store.ts';
import { LaneStore } from '#infra/nats/lane-store.ts';
import { NatsPayloadStore } from '#infra/nats/nats-payload-store.ts';
import { Publisher } from '#infra/nats/publisher.ts';
import { RecordGatherer } from '#infra/nats/record-gatherer.ts';
import { ensureTopology } from '#infra/nats/streams.ts';
import { TopologyKeeper } from '#infra/nats/topology-keeper.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { type Tracing, startTracing } from '#infra/telemetry/tracing.ts';
import { createControl } from '#src/control/mod.ts';
import { createProjector } from '#src/control/projector/mod.ts';
import { QueueMetrics } from '#src/control/queue-metrics.ts';
import { createDelivery } from '#src/delivery/mod.ts';
import { registerIngress } from '#src/ingress/mod.ts';
import { createProbe } from '#src/probe/mod.ts';
import { Broadcaster, createRouter } from '#src/router/mod.ts';
import { PayloadLinks } from '#wire/payload-link.ts';
import { buckets, streams } from '#wire/subjects.ts';
import { AfterConfig } from './after-config.ts';
import { HttpService } from './http-service.ts';
import { OpsServer, type ReadinessChecks } from './ops-server.ts';
import type { Service } from './service.ts';

const TOPOLOGY_RETRY_MS = 1000;
/**
 * What the data plane asks JetStream is answered in milliseconds, or not at all where the server that was asked has
 * just died: then it is asked again, and a lease of 4 s must not have ended meanwhile.
 */
const QUICK = { timeout: 2000 };
const LEASES = { timeout: 1000 };

export interface RunningRoles {
  httpPort: number | undefined;
  opsPort: number;
  /** Stops in the reverse order of the start, within the deadline of the settings. */
  stop(): Promise<void>;
  /** Ends when the process should: its connection to NATS is closed for good, or a setting turned out to be wrong. */
  done: Promise<void>;
}

/**
 * @throws ConfigError where a role misses a setting, or NATS or MongoDB refuses one; whatever a port that is taken
 * throws
 */
export async function runRoles(settings: Settings, log: Log): Promise<RunningRoles> {
  const roles = parseRoles(settings.POSTHORN_ROLES);
  const { natsUrl, mongoUrl, masterKey } = requireSettings(settings, roles);
  let started = false;
  const checks: ReadinessChecks = { started: () => started };
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const probes = roles.includes('probe') ? [createProbe({ settings, registry, log })] : [];
  const ops = new OpsServer({
    host: settings.POSTHORN_OPS_HOST,
    port: settings.POSTHORN_OPS_PORT,
    registry,
    checks,
  });
  // First, so that probes see a process that waits for NATS.
  await ops.start();
  const services: Service[] = [ops];
  const mongo = mongoUrl === undefined ? undefined : createMongoClient(mongoUrl, 'posthorn');
  const login = { user: settings.POSTHORN_NATS_USER, password: settings.POSTHORN_NATS_PASSWORD };
  const nc = await connectNats(natsUrl, `posthorn ${roles.join(',')}`, log, login);
  const worker = `${hostname().replaceAll(/[^\w-]/g, '-')}-${process.pid}`;
  const core = await joinCore(nc, settings, log);
  checks['nats'] = () => core.publisher.isConnected;
  const stopping = new AbortController();
  const mongoRefused = untilRefused(mongo, roles, { log, signal: stopping.signal });
  const app = needsHttp(roles) ? createApp({ settings, log }) : undefined;
  const tracing = await startTracing(settings);
  const parts = { ...core, settings, log, registry, mongo, app, nc, worker, tracing };
  const others = otherMasterKeys(settings);
  const secretBox = masterKey === undefined ? undefined : new SecretBox(masterKey, others);
  const payloadLinks = masterKey === undefined ? undefined : new PayloadLinks(masterKey, others);
  services.push(...plan(roles, { ...parts, secretBox, payloadLinks, checks }), ...probes);
  await Promise.race([startAll(services.slice(1), log), mongoRefused]);
  started = true;
  log.info({ roles, ops_port: ops.port }, 'service.started');
  const http = services.find((service) => service instanceof HttpService);
  return {
    httpPort: http?.port,
    opsPort: ops.port,
    done: Promise.race([nc.closed().then(() => undefined), mongoRefused]),
    async stop() {
      started = false;
      stopping.abort();
      await stopAll(services, settings.POSTHORN_SHUTDOWN_DEADLINE_MS, log);
      core.config.stop();
      core.brokerClock.stop();
      core.lanes.stop();
      core.publisher.close();
      core.ingressPublisher.close();
      // A server that is away cannot be said goodbye to.
      if (core.publisher.isConnected) await nc.drain();
      else await nc.close();
      await mongo?.close();
      await tracing?.stop().catch((error: unknown) => {
        log.warn({ error: (error as Error).message }, 'tracing.not_sent');
      });
    },
  };
}

/** Connects to MongoDB meanwhile. Rejects with a ConfigError where a setting is wrong, and never resolves. */
function untilRefused(
  mongo: MongoClient | undefined,
  roles: Role[],
  options: { log: Log; signal: AbortSignal },
): Promise<never> {
  const never = new Promise<never>(() => undefined);
  if (mongo === undefined) return never;
  // Who only asks it goes on without it: a password that is being changed must stop no webhook.
  const isNeeded = roles.includes('control');
  const refused = keepConnecting(mongo, { ...options, isNeeded }).then(() => never);
  refused.catch(() => undefined);
  return refused;
}

function requireSettings(
  settings: Settings,
  roles: Role[],
): { natsUrl: string; mongoUrl: string | undefined; masterKey: string | undefined } {
  const natsUrl = settings.POSTHORN_NATS_URL;
  const mongoUrl = settings.POSTHORN_MONGODB_URL;
  const masterKey = settings.POSTHORN_MASTER_KEY;
  const faults: string[] = [];
  if (natsUrl === undefined) faults.push('POSTHORN_NATS_URL: is required');
  if (mongoUrl === undefined && roles.includes('control')) {
    faults.push('POSTHORN_MONGODB_URL: is required for the role control');
  }
  if (masterKey === undefined && (roles.includes('control') || roles.includes('delivery'))) {
    faults.push('POSTHORN_MASTER_KEY: is required for the roles control and delivery');
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return { natsUrl: natsUrl as string, mongoUrl, masterKey };
}

function needsHttp(roles: Role[]): boolean {
  return roles.includes('ingress') || roles.includes('control');
}

interface Core {
  js: JetStreamClient;
  jsm: Awaited<ReturnType<typeof jetstreamManager>>;
  config: ConfigStore;
  lanes: LaneStore;
  leases: KV;
  ordered: KV;
  publisher: Publisher;
  ingressPublisher: Publisher;
  records: RecordGatherer;
  brokerClock: BrokerClock;
  /** As `js` and `jsm`, for the data plane. */
  quick: Pick<Core, 'js' | 'jsm'>;
  payloads: PayloadStore;
}

/** What every role needs: the streams, the publisher, the configuration. */
async function joinCore(nc: NatsConnection, settings: Settings, log: Log): Promise<Core> {
  const js = jetstream(nc);
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  await untilDone(() => ensureTopology(js, jsm, settings), log);
  const config = new ConfigStore({ open: () => new Kvm(js).open(buckets.config), log });
  await config.start();
  const lanes = new LaneStore({ open: () => new Kvm(js).open(buckets.lanes), log });
  await lanes.start();
  const leases = await new Kvm(jetstream(nc, LEASES)).open(buckets.leases);
  const ordered = await new Kvm(js).open(buckets.ordered);
  const publisher = new Publisher({ nc, window: settings.POSTHORN_PUBLISH_WINDOW, log });
  const ingressPublisher = new Publisher({ nc, window: settings.POSTHORN_PUBLISH_WINDOW, log });
  const records = new RecordGatherer({ publisher, shards: settings.POSTHORN_SHARDS, log });
  const brokerClock = new BrokerClock({ read: () => readBrokerClock(jsm), log });
  await brokerClock.start();
  const quick = await askQuickly(nc);
  const publishers = { publisher, ingressPublisher };
  const payloads = new NatsPayloadStore({ js, jsm });
  const stores = { config, lanes, leases, ordered, payloads };
  return { js, jsm, ...stores, ...publishers, records, brokerClock, quick };
}

/** JetStream may have no leader yet, or another process may be making the same streams. */
async function untilDone(work: () => Promise<void>, log: Log): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      log.warn({ error: (error as Error).message }, 'nats.streams_not_ready');
      await new Promise((resolve) => setTimeout(resolve, TOPOLOGY_RETRY_MS));
    }
  }
}

interface Parts extends Core {
  settings: Settings;
  log: Log;
  registry: Registry;
  mongo: MongoClient | undefined;
  app: FastifyInstance | undefined;
  nc: NatsConnection;
  secretBox: SecretBox | undefined;
  payloadLinks: PayloadLinks | undefined;
  checks: ReadinessChecks;
  worker: string;
  tracing: Tracing | undefined;
}

/** As the data plane asks JetStream. */
async function askQuickly(nc: NatsConnection): Promise<Pick<Core, 'js' | 'jsm'>> {
  return {
    js: jetstream(nc, QUICK),
    jsm: await jetstreamManager(nc, { ...QUICK, checkAPI: false }),
  };
}

/** The services of the roles in the order of their start: whoever accepts from outside comes last. */
function plan(roles: Role[], parts: Parts): Service[] {
  const { settings, log, config, mongo, app } = parts;
  const services: Service[] = [keepTopology(roles, parts)];
  const history =
    mongo === undefined ? undefined : historyOf(mongo.db(settings.POSTHORN_MONGODB_DATABASE));
  const bootstrapKey = settings.POSTHORN_BOOTSTRAP_KEY;
  const authenticate = createAuthenticator({ config, bootstrapKey, clock: Date.now });
  const { secretBox, payloadLinks } = parts;
  const brokerNow = parts.brokerClock.now;
  const refreshTenant = (id: string, sinceMs?: number): Promise<void> =>
    config.refreshTenant(id, sinceMs);
  if (roles.includes('control') && mongo && app && secretBox && payloadLinks) {
    const sealed = { secretBox, payloadLinks };
    const control = createControl({ ...parts, ...sealed, mongo, authenticate, clock: Date.now });
    control.registerRoutes(app);
    config.onBucketAnew(() => control.compareConfig());
    parts.checks['config'] = () => control.syncState() !== 'starting';
    services.push(control.service);
    services.push(
      createProjector({
        ...parts,
        shards: settings.POSTHORN_SHARDS,
        history: historyOf(mongo.db(settings.POSTHORN_MONGODB_DATABASE)),
        registerEventTypes: (names) => control.registerEventTypes(names),
        disableGoneEndpoint: (record) => control.disableGoneEndpoint(record),
        trackHealth: (attempts) => control.trackHealth(attempts),
      }),
    );
  }
  if (roles.includes('control')) {
    services.push(new QueueMetrics({ ...parts, brokerNow, shards: settings.POSTHORN_SHARDS }));
  }
  if (roles.includes('delivery') && secretBox && payloadLinks) {
    const sealed = { secretBox, payloadLinks };
    const delivery = createDelivery({
      ...parts,
      ...parts.quick,
      ...sealed,
      brokerNow,
      refreshTenant,
    });
    services.push(new AfterConfig({ service: delivery, config, log }));
  }
  if (roles.includes('router')) {
    const router = createRouter({ ...parts, ...parts.quick, brokerNow, refreshTenant });
    services.push(new AfterConfig({ service: router, config, log }));
    const tenantIds = () => config.tenantIds();
    const catchUp = () => config.catchUp();
    const broadcaster = new Broadcaster({ ...parts, brokerNow, tenantIds, catchUp });
    services.push(new AfterConfig({ service: broadcaster, config, log }));
  }
  if (roles.includes('ingress') && app !== undefined) {
    // A window of its own: a fan-out that fills the other one must not have producers refused.
    const publisher = parts.ingressPublisher;
    services.push(...registerIngress(app, { ...parts, publisher, history, authenticate }));
  }
  if (app !== undefined) {
    const { POSTHORN_HTTP_HOST: host, POSTHORN_HTTP_PORT: port } = settings;
    services.push(new HttpService({ app, host, port }));
  }
  log.debug({ services: services.map((service) => service.name) }, 'service.planned');
  return services;
}

/** Each process looks after the consumers that its roles read by. */
function keepTopology(roles: Role[], parts: Parts): Service {
  const readers: [RegExp, Role[]][] = [
    [/^EV-/, ['router', 'control']],
    [new RegExp(`^${streams.broadcasts}$`), ['router']],
    [/^DLV-/, ['delivery']],
    [/^(ATT-|DLQ$)/, ['control']],
  ];
  const keeper = new TopologyKeeper({
    ...parts,
    reads: (stream) =>
      readers.some(([names, by]) => names.test(stream) && by.some((role) => roles.includes(role))),
  });
  return { name: 'topology', start: () => keeper.start(), stop: () => keeper.stop() };
}

async function startAll(services: Service[], log: Log): Promise<void> {
  for (const service of services) {
    log.debug({ service: service.name }, 'service.starting');
    await service.start();
  }
}

async function stopAll(services: Service[], deadlineMs: number, log: Log): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (const service of services.toReversed()) {
    try {
      await service.stop(Math.max(0, deadline - performance.now()));
    } catch (error) {
      log.error({ err: error, service: service.name }, 'service.stop_failed');
    }
  }
}
