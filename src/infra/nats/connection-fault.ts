import { errors } from '@nats-io/nats-core';
import { tlsFault } from '../tls-fault.ts';
import { loginSettings, type NatsLogin } from './login.ts';

/**
 * Returns the wrong setting, by name, that makes NATS refuse a connection; undefined if a retry
 * may succeed.
 */
export function natsSettingFault(error: unknown, login: NatsLogin): string | undefined {
  const certificate = tlsFault(error, 'POSTHORN_NATS_CA_PATH, or NODE_EXTRA_CA_CERTS');
  if (certificate !== undefined) return `POSTHORN_NATS_URL: ${certificate}`;
  // The client's own text (nats-core, `checkOptions`); nothing else identifies this fault.
  if (error instanceof errors.ConnectionError && error.message.includes("not support 'tls'")) {
    return 'POSTHORN_NATS_URL: requests TLS (tls://), but the server has no TLS';
  }
  // Not "authentication timeout", which has the same class but means an overloaded server.
  if (
    error instanceof errors.AuthorizationError &&
    /authorization violation/i.test(error.message)
  ) {
    const settings = loginSettings(login);
    if (login.user !== undefined) return `${settings}: NATS rejects this user or password`;
    return settings === 'POSTHORN_NATS_USER'
      ? `${settings}: is required, because NATS refuses connections without a user`
      : `${settings}: NATS does not accept this login`;
  }
  return undefined;
}
