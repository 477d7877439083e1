import type { ConsumerMessages, JetStreamClient, JsMsg } from '@nats-io/jetstream';
import { errors } from '@nats-io/nats-core';
import type { Log } from '#infra/telemetry/log.ts';

export interface ConsumeOptions {
  js: JetStreamClient;
  stream: string;
  consumer: string;
  /** Messages asked for ahead; the bound of what may be unacked is the consumer's `max_ack_pending`. */
  ahead: number;
  onMessage: (message: JsMsg) => void;
  log: Log;
  /** The consumer was removed, which is logged here. What is pulled goes on once it was made again. */
  onDeleted: () => void;
  /** A pull was lost with who served it, and is made again; what it was given on its way may be lost too. */
  onPullLost: () => void;
}

/**
 * A pull is lost with the server that leads its consumer, and nobody says so: after two heartbeats that did not
 * come it is made again. `bind`: without asking first whether the consumer is there, a question that waits for a
 * leader by itself, with pauses of `expires`. From a paused broker to the next message: 41 s with the client's own
 * values, 13 to 15 s with these and the question, 7 to 8 s without it (measured).
 */
const PULL = { expires: 5000, idle_heartbeat: 1000, bind: true };

/**
 * Pulls for ever and hands each message to `onMessage`, which must not throw. Stop: no more is pulled.
 *
 * The client ends the pulling by itself, without a word, where NATS takes the permission for it away, or a message could
 * not be handed over. What is owed would stand still in a process that looks well: so this ends it, to be started again.
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
  // The process closes its connection: it ends anyway.
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
