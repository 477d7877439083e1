/** The ingress plane: takes events over HTTP and stores them in JetStream. */
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { Settings } from '#config/schema.ts';
import type { Authenticate } from '#infra/http/authenticate.ts';
import type { History } from '#infra/mongo/documents.ts';
import type { ConfigStore } from '#infra/nats/config-store.ts';
import type { Publisher } from '#infra/nats/publisher.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { AcceptEvent } from './accept-event.ts';
import { Admission } from './admission.ts';
import { Idempotency } from './idempotency.ts';
import { registerIngressRoutes } from './routes.ts';

export interface IngressDeps {
  settings: Settings;
  config: ConfigStore;
  publisher: Publisher;
  /** Absent where the process has no MongoDB: idempotency is then JetStream's window. */
  history: History | undefined;
  authenticate: Authenticate;
  registry: Registry;
  log: Log;
}

export function registerIngress(app: FastifyInstance, deps: IngressDeps): void {
  const { settings, config, publisher, history, registry, log } = deps;
  const policy = settings.POSTHORN_EVENT_TYPE_POLICY;
  const accept = new AcceptEvent({
    admission: new Admission({ config, policy }),
    idempotency: new Idempotency({ history, registry }),
    publisher,
    registry,
    eventBytesMax: settings.POSTHORN_EVENT_BYTES_MAX,
    publishTimeoutMs: settings.POSTHORN_PUBLISH_TIMEOUT_MS,
    now: Date.now,
  });
  registerIngressRoutes(app, {
    authenticate: deps.authenticate,
    accept,
    tenant: (id) => config.tenant(id),
    lookUpTenant: (id) => config.lookUpTenant(id),
    eventBytesMax: settings.POSTHORN_EVENT_BYTES_MAX,
    log,
  });
}
