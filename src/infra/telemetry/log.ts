import { type Logger, pino } from 'pino';
import type { ErrorReports } from './error-reports.ts';

export type Log = Logger;

const ERROR_LEVEL = 50;

/**
 * JSON lines on standard error (OB-3): `msg` is a dotted name that stays the same (`service.started`), facts
 * are fields in snake_case with units. Bodies, secrets and signatures are never logged.
 *
 * @param reports gets the errors of what is logged at level error or above
 */
export function createLog(
  level: string,
  bindings: Record<string, unknown> = {},
  reports?: Pick<ErrorReports, 'report'>,
): Log {
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
    pino.destination({ dest: 2, sync: true }),
  );
}

/** Sees what is logged; what the level leaves out does not come here. */
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
