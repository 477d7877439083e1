/**
 * Runs some of the roles in one process: creates their shared parts, starts the services in order,
 * and stops them in reverse.
 */
import { hostname } from 'node:os';
import type { MongoClient } from 'mongodb';
import type { Role } from '#config/schema.ts';
import type { Settings } from '#config/sections.ts';
import { systemClock } from '#infra/system-clock.ts';
import type { Clock } from '#domain/clock.ts';
import { SecretBox } from '#infra/crypto/secret-box.ts';
import { createApp } from '#infra/http/server/app.ts';
import { watchMongo } from '#infra/mongo/client-metrics.ts';
import { openCertificate } from './open-certificate.ts';
import { createMongoClient } from '#infra/mongo/documents.ts';
import { connectWithRetry } from '#infra/mongo/connect-with-retry.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { watchNats } from '#infra/nats/client-metrics.ts';
import { LeaseThread } from '#infra/nats/leases/lease-thread.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { LogLines } from '#infra/telemetry/log-lines.ts';
import { startTracing } from '#infra/telemetry/start-tracing.ts';
import { createProbe } from '#src/probe/mod.ts';
import { inboxPrefixOf } from '#wire/subjects.ts';
import { PayloadLinks } from '#wire/webhook/payload-link.ts';
import { createRegistry } from './create-registry.ts';
import { HttpService } from './http-service.ts';
import { joinCore, leaveCore } from './join-core.ts';
import { OpsServer, type ReadinessChecks } from './ops-server.ts';
import { ownsShards, planServices } from './plan-services.ts';
import { requireSettings } from './require-settings.ts';
import type { Service } from '#infra/service.ts';
import { checkOpenFiles, openFilesOf } from '../start-checks/open-files.ts';

export interface RunningRoles {
  httpPort: number | undefined;
  opsPort: number;
  /** Stops in the reverse order of the start, within the deadline of the settings. */
  stop(): Promise<void>;
  /**
   * Resolves when the process should end: its connection to NATS is closed permanently, or a
   * setting is wrong.
   */
  done: Promise<void>;
}

/**
 * @throws ConfigError if a role lacks a setting, the limit of open files is too low, or NATS or
 * MongoDB refuses a setting
 * @throws Error of the system if a port is taken
 */
export async function runRoles(
  settings: Settings,
  log: Log,
  lines: LogLines,
): Promise<RunningRoles> {
  const { roles } = settings;
  const clock = systemClock;
  const { natsUrl, mongoUrl, masterKey } = requireSettings(settings, roles);
  checkOpenFiles(openFilesOf(settings, roles), log);
  let started = false;
  const checks: ReadinessChecks = { started: () => started };
  const registry = createRegistry(settings, lines);
  const probes = roles.includes('probe')
    ? [createProbe({ settings: settings.probe, registry, clock, log })]
    : [];
  const certificate = openCertificate(settings, log);
  const ops = new OpsServer({ ...settings.ops, registry, checks, certificate });
  // First, so that health checks can reach a process that waits for NATS.
  await ops.start();
  const services: Service[] = [ops];
  if (certificate !== undefined) services.push(certificate);
  const mongo =
    mongoUrl === undefined
      ? undefined
      : createMongoClient(mongoUrl, 'posthorn', settings.mongodb.caPath);
  const login = { ...settings.nats.login, inboxPrefix: inboxPrefixOf(roles) };
  const name = `posthorn ${roles.join(',')}`;
  if (mongo !== undefined) watchMongo(mongo, { registry, clock });
  const nc = await connectNats(natsUrl, name, log, login);
  const renewer = new LeaseThread({ url: natsUrl, name: `${name} leases`, login, log });
  // Connect early, so that the connection is ready when the roles need it.
  if (ownsShards(roles)) void renewer.start();
  const worker = `${hostname().replaceAll(/[^\w-]/g, '-')}-${process.pid}`;
  const core = await joinCore(nc, settings, clock, log);
  checks['nats'] = () => core.publisher.isConnected;
  watchNats(nc, { ...core, registry });
  const stopping = new AbortController();
  const mongoRefused = untilRefused(mongo, roles, { log, signal: stopping.signal });
  const app = needsHttp(roles)
    ? createApp({ settings: settings.http, registry, certificate, clock, log })
    : undefined;
  const tracing = await startTracing(settings.tracing, roles);
  const parts = {
    ...core,
    settings,
    log,
    clock,
    registry,
    mongo,
    app,
    nc,
    worker,
    renewer,
    tracing,
  };
  const others = settings.keys.otherMasters;
  const secretBox = masterKey === undefined ? undefined : new SecretBox(masterKey, others);
  const payloadLinks = masterKey === undefined ? undefined : new PayloadLinks(masterKey, others);
  services.push(...planServices(roles, { ...parts, secretBox, payloadLinks, checks }), ...probes);
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
      await stopAll(services, settings.shutdownDeadlineMs, clock, log);
      leaveCore(core);
      // Draining needs a server that answers.
      if (core.publisher.isConnected) await nc.drain();
      else await nc.close();
      await mongo?.close();
      await tracing?.stop().catch((error: unknown) => {
        log.warn({ error: (error as Error).message }, 'tracing.not_sent');
      });
    },
  };
}

/**
 * Connects to MongoDB in the background. Rejects with a ConfigError if a setting is wrong, and
 * never resolves.
 */
function untilRefused(
  mongo: MongoClient | undefined,
  roles: readonly Role[],
  options: { log: Log; signal: AbortSignal },
): Promise<never> {
  const never = new Promise<never>(() => undefined);
  if (mongo === undefined) return never;
  // Roles that only read MongoDB keep running without it, so that rotating its password does not
  // stop webhooks.
  const isNeeded = roles.includes('control');
  const refused = connectWithRetry(mongo, { ...options, isNeeded }).then(() => never);
  refused.catch(() => undefined);
  return refused;
}

function needsHttp(roles: readonly Role[]): boolean {
  return roles.includes('ingress') || roles.includes('control');
}

async function startAll(services: Service[], log: Log): Promise<void> {
  for (const service of services) {
    log.debug({ service: service.name }, 'service.starting');
    await service.start();
  }
}

async function stopAll(
  services: Service[],
  deadlineMs: number,
  clock: Clock,
  log: Log,
): Promise<void> {
  const deadline = clock.monotonicMs() + deadlineMs;
  for (const service of services.toReversed()) {
    try {
      await service.stop(Math.max(0, deadline - clock.monotonicMs()));
    } catch (error) {
      log.error({ err: error, service: service.name }, 'service.stop_failed');
    }
  }
}
