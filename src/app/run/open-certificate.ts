import type { Settings } from '#config/sections.ts';
import { ServerCertificate } from '#infra/http/server/server-certificate.ts';
import { systemClock } from '#infra/system-clock.ts';
import type { Log } from '#infra/telemetry/log.ts';

/**
 * Opens the certificate of the HTTP servers of this process. Undefined: they speak plain HTTP.
 *
 * @throws ConfigError that names the setting of a file that cannot be used
 */
export function openCertificate(settings: Settings, log: Log): ServerCertificate | undefined {
  const paths = settings.certificate;
  return paths === undefined
    ? undefined
    : new ServerCertificate({ paths, log, clock: systemClock });
}
