import { MongoServerError } from 'mongodb';
import { tlsFault } from '../tls-fault.ts';
import { AUTHENTICATION_CODES } from './unavailable.ts';

/**
 * What is wrong with the settings where MongoDB does not take a connection, with the name of the setting;
 * undefined where another try may succeed.
 */
export function mongoSettingFault(error: unknown): string | undefined {
  for (const one of [error, ...errorsOfServers(error)]) {
    if (one instanceof MongoServerError && AUTHENTICATION_CODES.has(one.code)) {
      return 'POSTHORN_MONGODB_URL: MongoDB does not know this user with this password';
    }
    const certificate = tlsFault(one, 'tlsCAFile in the URL, or NODE_EXTRA_CA_CERTS');
    if (certificate !== undefined) return `POSTHORN_MONGODB_URL: ${certificate}`;
  }
  // A file that the URL names.
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && path !== undefined) {
    return `POSTHORN_MONGODB_URL: there is no file ${path}`;
  }
  return undefined;
}

/** What each server of the set answered, in an error that says that none could be chosen. */
function errorsOfServers(error: unknown): unknown[] {
  const { reason } = error as { reason?: { servers?: Map<string, { error?: unknown }> } };
  return [...(reason?.servers?.values() ?? [])].map((server) => server.error);
}
