import { ConfigError, isPosthornError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { exitCodes } from './run-until-stopped.ts';

export interface ExitDeps {
  /** Prints one line for the operator. */
  report: (line: string) => void;
  log: Log;
}

/**
 * Reports why a process ends and returns its exit code: 78 if the operator has to change something,
 * 69 if a server could not be reached in time, 70 for a bug.
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
