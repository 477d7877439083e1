/**
 * The synthetic probe: canary tenants send events through the whole platform, and a receiver
 * measures them.
 */
import { readFileSync } from 'node:fs';
import type { Registry } from 'prom-client';
import type { ProbeSettings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import { ConfigError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import { ApiClient } from './api-client.ts';
import { Canary, canaryTenants } from './canary.ts';
import { ProbeMetrics } from './probe-metrics.ts';
import { Prober } from './prober.ts';
import { ProbeHttpReceiver } from './receiver.ts';

export interface ProbeDeps {
  settings: ProbeSettings;
  registry: Registry;
  clock: Clock;
  log: Log;
}

/**
 * Creates the probe. It needs neither NATS nor MongoDB, so that it can report their outage. It
 * starts immediately and waits for no other service.
 *
 * @throws ConfigError that names each setting that is missing or names an unreadable file
 */
export function createProbe({ settings, registry, clock, log }: ProbeDeps): Service {
  const { ingressUrl, controlUrl, receiverUrl, key } = requireSettings(settings);
  const { intervalMs, shards, caPath } = settings;
  if (intervalMs === 0) return { name: 'probe', start: async () => {}, stop: async () => {} };
  const api = new ApiClient({ ingressUrl, controlUrl, key, caPath });
  const metrics = new ProbeMetrics(registry, shards, clock);
  const canaries = canaryTenants(settings.name, shards).map(
    (tenant) => new Canary({ api, tenant, receiverUrl }),
  );
  const byTenant = new Map(canaries.map((canary) => [canary.tenant, canary]));
  const prober = new Prober({ api, canaries, intervalMs, metrics, clock, log });
  const receiver = new ProbeHttpReceiver({
    url: receiverUrl,
    clock,
    secretOf: (tenant) => byTenant.get(tenant)?.secret,
    onWebhook: (tenant, id) => prober.onWebhook(tenant, id),
    onInvalid: (fault) => {
      metrics.invalid.inc();
      log.warn({ fault }, 'probe.webhook_invalid');
    },
  });
  return {
    name: 'probe',
    async start() {
      await receiver.start();
      prober.start();
    },
    async stop() {
      prober.stop();
      await receiver.stop();
    },
  };
}

function requireSettings(settings: ProbeSettings): {
  ingressUrl: string;
  controlUrl: string;
  receiverUrl: string;
  key: string;
} {
  const { ingressUrl, receiverUrl, key } = settings;
  const faults: string[] = [];
  if (ingressUrl === undefined) {
    faults.push('POSTHORN_PROBE_INGRESS_URL: is required for the role probe');
  }
  if (receiverUrl === undefined) {
    faults.push('POSTHORN_PROBE_RECEIVER_URL: is required for the role probe');
  }
  if (key === undefined) {
    faults.push('POSTHORN_PROBE_KEY or POSTHORN_BOOTSTRAP_KEY: is required for the role probe');
  }
  if (settings.caPath !== undefined) {
    try {
      readFileSync(settings.caPath);
    } catch (error) {
      faults.push(`POSTHORN_PROBE_CA_PATH: cannot be read (${(error as Error).message})`);
    }
  }
  const isMissing = ingressUrl === undefined || receiverUrl === undefined || key === undefined;
  if (isMissing || faults.length > 0) throw new ConfigError(faults);
  const controlUrl = settings.controlUrl ?? ingressUrl;
  return { ingressUrl, controlUrl, receiverUrl, key };
}
