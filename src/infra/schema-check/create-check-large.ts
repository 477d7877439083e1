import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { CheckLarge } from '#wire/published/admission.ts';
import { CheckThread, checkHeapMebibytes } from './check-thread.ts';
import { SchemaChecks } from './schema-checks.ts';

/**
 * Creates the check of large data of a process. Ingress and the dry run share it, and with it one
 * thread in which tenants take turns.
 */
export function createCheckLarge(deps: {
  eventBytesMax: number;
  clock: Clock;
  log: Log;
}): CheckLarge {
  const { eventBytesMax, clock, log } = deps;
  const checks = new SchemaChecks({
    thread: new CheckThread({
      heapMebibytesMax: checkHeapMebibytes(eventBytesMax),
      deadlineMs: limits.schemaCheckMsMax,
      log,
    }),
    now: clock.monotonicMs,
  });
  return (owner, { json }, data) => checks.check(owner, json, data);
}
