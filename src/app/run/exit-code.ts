import { ConfigError, isPosthornError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { exitCodes } from './run-until-stopped.ts';

export interface ExitDeps {
  /** One line for the operator. */
  report: (line: string) => void;
  log: Log;
}

/**
 * Says why a process ends, and gives its exit code: 78 for what the operator can put right, 69 for a server
 * that could not be reached in time, 70 for a bug.
 */
export function exitCodeOf(error: unknown, deps: ExitDeps): number {
  if (error instanceof ConfigError) {
    for (const fault of error.faults) deps.report(fault);
    return exitCodes.config;
  }
  if (isPosthornError(error) && error.status === 503) {
    deps.report(`${error.code}: ${error.message}`);
    return exitCodes.unavailable;
  }
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL' || code === 'EACCES') {
    deps.report(`POSTHORN_HTTP_PORT or POSTHORN_OPS_PORT cannot be used: ${message}`);
    return exitCodes.config;
  }
  deps.log.fatal({ err: error }, 'process.failed');
  return exitCodes.bug;
}
