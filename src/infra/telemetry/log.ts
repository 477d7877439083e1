import { type Logger, pino } from 'pino';

export type Log = Logger;

/**
 * JSON lines on standard error (OB-3): `msg` is a dotted name that stays the same (`service.started`), facts
 * are fields in snake_case with units. Bodies, secrets and signatures are never logged.
 */
export function createLog(level: string, bindings: Record<string, unknown> = {}): Log {
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
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
