import { createInbox, type NatsConnection } from '@nats-io/nats-core';
import type { NatsConnectionImpl } from '@nats-io/nats-core/internal';

/**
 * A subject for answers, below the prefix of the connection. The client's own requests use the
 * prefix by themselves.
 */
export function newInbox(nc: NatsConnection): string {
  return createInbox((nc as NatsConnectionImpl).options.inboxPrefix);
}
