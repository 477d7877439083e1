import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { Settings } from '#config/sections.ts';
import type { LogLines } from '#infra/telemetry/log-lines.ts';

/**
 * Creates the registry of a process with the metrics that every process has: those of Node, the
 * log lines by level, and `posthorn_build_info`, by which dashboards mark deployments.
 */
export function createRegistry(
  { roles, revision }: Pick<Settings, 'roles' | 'revision'>,
  lines: LogLines,
): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  lines.watch(registry);
  const build = new Gauge({
    name: 'posthorn_build_info',
    help: 'Always 1; the labels describe the process.',
    labelNames: ['revision', 'roles', 'node'],
    registers: [registry],
  });
  build.set({ revision, roles: roles.join(','), node: process.versions.node }, 1);
  return registry;
}
