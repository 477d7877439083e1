import { MongoServerError } from 'mongodb';
import { tlsFault } from '../tls-fault.ts';
import { AUTHENTICATION_CODES } from './unavailable.ts';

/**
 * Returns the wrong setting, by name, that makes MongoDB refuse a connection; undefined where a
 * retry may succeed.
 */
export function mongoSettingFault(error: unknown): string | undefined {
  for (const one of [error, ...errorsOfServers(error)]) {
    if (one instanceof MongoServerError && AUTHENTICATION_CODES.has(one.code)) {
      return 'POSTHORN_MONGODB_URL: MongoDB does not know this user with this password';
    }
    const certificate = tlsFault(
      one,
      'POSTHORN_MONGODB_CA_PATH, tlsCAFile in the URL, or NODE_EXTRA_CA_CERTS',
    );
    if (certificate !== undefined) return `POSTHORN_MONGODB_URL: ${certificate}`;
  }
  // A missing file that the URL names.
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && path !== undefined) {
    return `POSTHORN_MONGODB_URL: there is no file ${path}`;
  }
  return undefined;
}

/** The error of each server of the set, from an error that no server could be selected. */
function errorsOfServers(error: unknown): unknown[] {
  const { reason } = error as { reason?: { servers?: Map<string, { error?: unknown }> } };
  return [...(reason?.servers?.values() ?? [])].map((server) => server.error);
}
