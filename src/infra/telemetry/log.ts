import { type Logger, pino } from 'pino';
import type { ErrorReports } from './error-reports.ts';
import type { LogLines } from './log-lines.ts';

export type Log = Logger;

const ERROR_LEVEL = 50;
/** Buffer size while standard error cannot be written; further lines are dropped. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024;

/**
 * Writes JSON lines on standard error (OB-3): `msg` is a stable dotted name (`service.started`),
 * facts are fields in snake_case with units. Bodies, secrets and signatures are never logged.
 *
 * @param reports gets the errors of lines at level error or above
 * @param lines counts the lines
 */
export function createLog(
  level: string,
  bindings: Record<string, unknown> = {},
  reports?: Pick<ErrorReports, 'report'>,
  lines?: Pick<LogLines, 'count'>,
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
      ...(reports === undefined && lines === undefined ? {} : { hooks: hook(reports, lines) }),
    },
    destination,
  );
}

/** Sees every logged line; lines below the log level are not passed to it. */
function hook(
  reports: Pick<ErrorReports, 'report'> | undefined,
  lines: Pick<LogLines, 'count'> | undefined,
) {
  return {
    logMethod(this: Logger, args: Parameters<pino.LogFn>, method: pino.LogFn, level: number): void {
      method.apply(this, args);
      lines?.count(level);
      if (reports !== undefined && level >= ERROR_LEVEL) report(reports, args);
    },
  };
}

function report(reports: Pick<ErrorReports, 'report'>, args: readonly unknown[]): void {
  const [facts, name] = args;
  if (typeof facts !== 'object' || facts === null || typeof name !== 'string') return;
  const { err } = facts as { err?: unknown };
  if (err instanceof Error) {
    reports.report({ err, name, facts: facts as Record<string, unknown> });
  }
}
