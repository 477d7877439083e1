import { type Logger, pino } from 'pino';
import type { ErrorReports } from './error-reports.ts';

export type Log = Logger;

const ERROR_LEVEL = 50;
/** Buffer size while standard error cannot be written; further lines are dropped. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024;

/**
 * Writes JSON lines on standard error (OB-3): `msg` is a stable dotted name (`service.started`),
 * facts are fields in snake_case with units. Bodies, secrets and signatures are never logged.
 *
 * @param reports gets the errors of lines at level error or above
 */
export function createLog(
  level: string,
  bindings: Record<string, unknown> = {},
  reports?: Pick<ErrorReports, 'report'>,
): Log {
  const destination = pino.destination({ dest: 2, sync: true, maxLength: UNWRITTEN_BYTES_MAX });
  // A closed terminal or a full disk loses lines; it ends no process.
  destination.on('error', () => undefined);
  return pino(
    {
      level,
      base: bindings,
      messageKey: 'msg',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['authorization', '*.authorization', 'secret', '*.secret', 'headers.cookie'],
      },
      ...(reports === undefined ? {} : { hooks: reportingHook(reports) }),
    },
    destination,
  );
}

/** Sees every logged line; lines below the log level are not passed to it. */
function reportingHook(reports: Pick<ErrorReports, 'report'>) {
  return {
    logMethod(this: Logger, args: Parameters<pino.LogFn>, method: pino.LogFn, level: number): void {
      method.apply(this, args);
      if (level < ERROR_LEVEL) return;
      const [facts, name] = args as unknown[];
      if (typeof facts !== 'object' || facts === null || typeof name !== 'string') return;
      const { err } = facts as { err?: unknown };
      if (err instanceof Error) {
        reports.report({ err, name, facts: facts as Record<string, unknown> });
      }
    },
  };
}
