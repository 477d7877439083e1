import { errors } from '@nats-io/nats-core';
import { tlsFault } from '../tls-fault.ts';

/**
 * Returns the wrong setting, by name, that makes NATS refuse a connection; undefined where a retry
 * may succeed.
 *
 * @param user undefined: none is set
 */
export function natsSettingFault(error: unknown, user: string | undefined): string | undefined {
  const certificate = tlsFault(error, 'NODE_EXTRA_CA_CERTS');
  if (certificate !== undefined) return `POSTHORN_NATS_URL: ${certificate}`;
  // The client's own text (nats-core, `checkOptions`); nothing else identifies this fault.
  if (error instanceof errors.ConnectionError && error.message.includes("not support 'tls'")) {
    return 'POSTHORN_NATS_URL: asks for TLS (tls://), and the server has none';
  }
  // Not "authentication timeout", which has the same class but means an overloaded server.
  if (
    error instanceof errors.AuthorizationError &&
    /authorization violation/i.test(error.message)
  ) {
    return user === undefined
      ? 'POSTHORN_NATS_USER: is required, because NATS refuses connections without a user'
      : 'POSTHORN_NATS_USER, POSTHORN_NATS_PASSWORD: NATS does not know this user with this password';
  }
  return undefined;
}
