import { errors } from '@nats-io/nats-core';
import { tlsFault } from '../tls-fault.ts';

/**
 * What is wrong with the settings where NATS does not take a connection, with the name of the setting; undefined
 * where another try may succeed.
 *
 * @param user undefined: none is set
 */
export function natsSettingFault(error: unknown, user: string | undefined): string | undefined {
  const certificate = tlsFault(error, 'NODE_EXTRA_CA_CERTS');
  if (certificate !== undefined) return `POSTHORN_NATS_URL: ${certificate}`;
  // The client's own words (nats-core, `checkOptions`); nothing else tells it.
  if (error instanceof errors.ConnectionError && error.message.includes("not support 'tls'")) {
    return 'POSTHORN_NATS_URL: asks for TLS (tls://), and the server has none';
  }
  // Not "authentication timeout", which is of the same class: that is a server with too much to do.
  if (
    error instanceof errors.AuthorizationError &&
    /authorization violation/i.test(error.message)
  ) {
    return user === undefined
      ? 'POSTHORN_NATS_USER: NATS lets nobody in without a user'
      : 'POSTHORN_NATS_USER, POSTHORN_NATS_PASSWORD: NATS does not know this user with this password';
  }
  return undefined;
}
