import { readFileSync } from 'node:fs';
import type { Role } from '#config/schema.ts';
import type { Settings } from '#config/sections.ts';
import { ConfigError } from '#domain/errors.ts';
import { MONGODB_POOL_MAX } from '#infra/mongo/documents.ts';
import type { Log } from '#infra/telemetry/log.ts';

/** Standard streams, the event loop, listening sockets, NATS, DNS look-ups, files being read. */
const PROCESS = 64;
/** Client connections to the API. Their number has no limit of its own. */
const API_CLIENTS = 256;

export interface OpenFiles {
  /** The process does not work with fewer. */
  required: number;
  /** With this many, no work waits for a descriptor. */
  wanted: number;
}

/**
 * Counts the descriptors that a process with these roles needs. Idle connections to receivers are
 * closed when other work needs their descriptors.
 */
export function openFilesOf(
  settings: Pick<Settings, 'delivery' | 'mongodb'>,
  roles: readonly Role[],
): OpenFiles {
  const has = (...names: Role[]): boolean => names.some((name) => roles.includes(name));
  const required = PROCESS + (settings.mongodb.url === undefined ? 0 : MONGODB_POOL_MAX);
  const clients = has('ingress', 'control') ? API_CLIENTS : 0;
  const attempts = has('delivery') ? settings.delivery.inFlightMax : 0;
  return { required, wanted: required + clients + attempts };
}

/** With fewer, an embedded mongod aborts: it inherits the limit of its parent process. */
export const EMBEDDED_MONGOD_OPEN_FILES = 200;

/**
 * Compares the limit of open files (`ulimit -n`) with the number that the process may open. Logs a
 * warning if the limit is lower.
 *
 * @throws ConfigError if the process could not work with the limit
 */
export function checkOpenFiles(
  { required, wanted }: OpenFiles,
  log: Log,
  limit = openFilesLimit(),
): void {
  requireOpenFiles(required, limit);
  if (limit < wanted) log.warn({ limit, wanted }, 'process.open_files_low');
}

/** @throws ConfigError if the limit of open files is lower */
export function requireOpenFiles(required: number, limit = openFilesLimit()): void {
  if (limit >= required) return;
  throw new ConfigError([
    `the limit of open files (ulimit -n) is ${limit}: must be at least ${required}`,
  ]);
}

/** The soft limit of this process. Node raises it to the hard limit at its start. */
function openFilesLimit(): number {
  let limit: string | undefined;
  try {
    limit = /^Max open files +(\w+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  } catch {
    // Not Linux.
    const report = process.report.getReport() as {
      userLimits?: { open_files?: { soft: string | number } };
    };
    limit = String(report.userLimits?.open_files?.soft ?? 'unlimited');
  }
  return limit === undefined || limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}
