import { MongoServerError } from 'mongodb';
import { tlsFault } from '../tls-fault.ts';
import { AUTHENTICATION_CODES } from './unavailable.ts';

/**
 * Returns an error text that names the setting, if a wrong setting prevents the connection to
 * MongoDB; undefined if a retry may succeed.
 */
export function mongoSettingFault(error: unknown): string | undefined {
  for (const one of [error, ...errorsOfServers(error)]) {
    if (one instanceof MongoServerError && AUTHENTICATION_CODES.has(one.code)) {
      return 'POSTHORN_MONGODB_URL: MongoDB rejects this user or password';
    }
    const certificate = tlsFault(
      one,
      'POSTHORN_MONGODB_CA_PATH, tlsCAFile in the URL, or NODE_EXTRA_CA_CERTS',
    );
    if (certificate !== undefined) return `POSTHORN_MONGODB_URL: ${certificate}`;
  }
  // The URL names a file that does not exist.
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && path !== undefined) {
    return `POSTHORN_MONGODB_URL: the file ${path} does not exist`;
  }
  return undefined;
}

/** Returns the error of each server of the replica set from a server selection error. */
function errorsOfServers(error: unknown): unknown[] {
  const { reason } = error as { reason?: { servers?: Map<string, { error?: unknown }> } };
  return [...(reason?.servers?.values() ?? [])].map((server) => server.error);
}
