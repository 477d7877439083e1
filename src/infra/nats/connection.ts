import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Log } from '#infra/telemetry/log.ts';

export interface NatsLogin {
  user?: string | undefined;
  password?: string | undefined;
}

/**
 * A connection that outlives the server: it dials for ever, and waits for the first connect too, so that a
 * process may start before NATS. Pings every 2 s, so that a server that is cut off or stands still is left for
 * another one in 4 to 6 s, not 4 minutes: all that this process publishes or waits for waits with it.
 */
export async function connectNats(
  url: string,
  name: string,
  log: Log,
  login: NatsLogin = {},
): Promise<NatsConnection> {
  const { user, password } = login;
  const nc = await connect({
    ...(user === undefined ? {} : { user, pass: password ?? '' }),
    servers: url.split(','),
    name,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: 2000,
    maxPingOut: 2,
    // An Error object made for each request to carry a stack costs 16 us of 44 (measured).
    noAsyncTraces: true,
    ignoreAuthErrorAbort: true,
  });
  void watchStatus(nc, log);
  return nc;
}

async function watchStatus(nc: NatsConnection, log: Log): Promise<void> {
  for await (const status of nc.status()) {
    if (status.type === 'disconnect' || status.type === 'reconnect') {
      log.warn({ server: nc.getServer() }, `nats.${status.type}`);
    } else if (status.type === 'error') {
      log.warn({ error: status.error.message }, 'nats.error');
    }
  }
}
