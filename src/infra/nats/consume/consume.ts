import type { ConsumerMessages, JetStreamClient, JsMsg } from '@nats-io/jetstream';
import { errors } from '@nats-io/nats-core';
import type { Log } from '#infra/telemetry/log.ts';

export interface ConsumeOptions {
  js: JetStreamClient;
  stream: string;
  consumer: string;
  /** Messages requested ahead. The consumer's `max_ack_pending` bounds the unacked ones. */
  ahead: number;
  onMessage: (message: JsMsg) => void;
  log: Log;
  /** The consumer was removed, which is logged here. Pulling resumes once it exists again. */
  onDeleted: () => void;
  /**
   * A pull was lost with the server that served it, and is repeated. Messages on their way may be
   * lost too.
   */
  onPullLost: () => void;
}

/**
 * A pull is lost without notice when the server that leads its consumer dies. It is repeated after
 * two missed heartbeats. The option `bind` skips the check that the consumer exists, because that
 * request itself waits for a leader, with pauses of `expires`. Time from a paused broker to the
 * next message: 41 s with the client's own values, 13 to 15 s with these and the check, 7 to 8 s
 * without it (measured).
 */
const PULL = { expires: 5000, idle_heartbeat: 1000, bind: true };

/**
 * Pulls without end and passes each message to `onMessage`, which must not throw. Stop: no more
 * messages are pulled.
 *
 * The client ends the pull without notice if NATS revokes the permission for it, or a
 * message could not be passed on. Deliveries would then stall in a process that looks healthy, so
 * this ends the process, to be restarted.
 */
export async function consume(options: ConsumeOptions): Promise<ConsumerMessages> {
  const consumer = await options.js.consumers.get(options.stream, options.consumer);
  const messages = await consumer.consume({
    ...PULL,
    callback: options.onMessage,
    max_messages: options.ahead,
    threshold_messages: Math.floor(options.ahead / 2),
  });
  void watchConsumer(messages, options);
  void throwWhereEnded(messages, options);
  return messages;
}

async function throwWhereEnded(
  messages: ConsumerMessages,
  { stream, consumer, log }: ConsumeOptions,
): Promise<void> {
  const error = await messages.closed();
  if (!(error instanceof Error)) return;
  // The process closes its connection: it is stopping anyway.
  if (error instanceof errors.ClosedConnectionError) return;
  if (error instanceof errors.DrainingConnectionError) return;
  log.error({ err: error, stream, consumer }, 'nats.consumer_ended');
  throw error;
}

async function watchConsumer(messages: ConsumerMessages, options: ConsumeOptions): Promise<void> {
  for await (const status of messages.status()) {
    if (status.type === 'consumer_deleted') {
      const { stream, consumer } = options;
      options.log.error({ stream, consumer }, 'nats.consumer_deleted');
      options.onDeleted();
    } else if (status.type === 'heartbeats_missed') {
      options.onPullLost();
    }
  }
}
