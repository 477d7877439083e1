import type { Settings } from '#config/sections.ts';
import { systemClock } from '#infra/system-clock.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { LogLines } from '#infra/telemetry/log-lines.ts';
import { createProbe } from '#src/probe/mod.ts';
import { createRegistry } from './create-registry.ts';
import { openCertificate } from './open-certificate.ts';
import { OpsServer } from './ops-server.ts';
import type { RunningRoles } from './run-roles.ts';

/**
 * Runs a process with the role probe alone. It connects to no server: its results must not depend
 * on the system that it watches.
 *
 * @throws ConfigError if a setting is missing
 * @throws Error of the system if a port is taken
 */
export async function runProbe(
  settings: Settings,
  log: Log,
  lines: LogLines,
): Promise<RunningRoles> {
  const registry = createRegistry(settings, lines);
  const probe = createProbe({ settings: settings.probe, registry, clock: systemClock, log });
  let started = false;
  const certificate = openCertificate(settings, log);
  const ops = new OpsServer({
    ...settings.ops,
    registry,
    checks: { started: () => started },
    certificate,
  });
  await certificate?.start();
  await ops.start();
  await probe.start();
  started = true;
  log.info({ roles: ['probe'], ops_port: ops.port }, 'service.started');
  return {
    httpPort: undefined,
    opsPort: ops.port,
    done: new Promise(() => undefined),
    async stop() {
      started = false;
      await probe.stop(settings.shutdownDeadlineMs);
      await ops.stop();
      await certificate?.stop();
    },
  };
}
