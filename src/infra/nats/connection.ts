import { type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node';
import { ConfigError } from '#domain/errors.ts';
import { retry } from '#infra/retry.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { natsSettingFault } from './connection-fault.ts';
import { loginOptions, type NatsLogin } from './login.ts';

const RETRY_DELAYS = { firstMs: 250, maxMs: 2000 };
const CODE = 'POSTHORN_NATS_UNAVAILABLE';

/** Where a connection reports its faults. */
export type ConnectionLog = Pick<Log, 'warn' | 'error'>;

/**
 * Opens a connection that survives server restarts. It dials without limit, also for the first
 * connect, so a process may start before NATS. It pings every 2 s, so that it leaves a hung or
 * unreachable server for another one in 4 to 6 s instead of 4 minutes. Everything that this process
 * publishes or requests waits that long.
 *
 * A fault that waiting cannot fix (a wrong password, an unknown authority, a server without TLS)
 * ends the first connect with an error. Later it does not: then the password is probably being
 * changed, and losing the in-flight work would cost more than a clear error is worth.
 *
 * @throws ConfigError that names the setting
 */
export async function connectNats(
  url: string,
  name: string,
  log: ConnectionLog,
  login: NatsLogin = {},
): Promise<NatsConnection> {
  const servers = url.split(',');
  const options: ConnectionOptions = {
    ...loginOptions(
      login,
      servers.some((server) => server.startsWith('tls://')),
    ),
    servers,
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: 2000,
    maxPingOut: 2,
    // Creating an Error object for the stack of each request costs 16 us of 44 (measured).
    noAsyncTraces: true,
    ignoreAuthErrorAbort: true,
  };
  const nc = await firstConnect(options, login, log);
  void watchStatus(nc, log, login);
  return nc;
}

/** Each try dials every server once. */
async function firstConnect(
  options: ConnectionOptions,
  login: NatsLogin,
  log: ConnectionLog,
): Promise<NatsConnection> {
  const servers = [options.servers ?? []].flat().map(withoutLogin);
  return retry(() => connect(options), {
    ...RETRY_DELAYS,
    onFailure: (error) => {
      const fault = natsSettingFault(error, login);
      if (fault !== undefined) {
        log.error({ code: CODE, servers, error: fault }, 'nats.refused');
        throw new ConfigError([fault]);
      }
      log.warn({ code: CODE, servers, error: (error as Error).message }, 'nats.not_connected');
    },
  });
}

/** A URL may carry a password. */
function withoutLogin(url: string): string {
  return url.replace(/\/\/.*@/, '//');
}

async function watchStatus(
  nc: NatsConnection,
  log: ConnectionLog,
  login: NatsLogin,
): Promise<void> {
  for await (const status of nc.status()) {
    if (status.type === 'disconnect' || status.type === 'reconnect') {
      log.warn({ server: nc.getServer() }, `nats.${status.type}`);
    } else if (status.type === 'error') {
      const fault = natsSettingFault(status.error, login);
      if (fault === undefined) log.warn({ error: status.error.message }, 'nats.error');
      else log.error({ code: CODE, server: nc.getServer(), error: fault }, 'nats.refused');
    }
  }
}
