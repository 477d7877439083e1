import type { JsMsg } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import type { AckFence } from '#infra/nats/consume/ack-fence.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ActivationTable } from '../actors/activation-table.ts';
import { type InFlightDelivery, readInFlightDelivery } from './in-flight-delivery.ts';
import type { Settler } from '../settlement/settle.ts';

const REDELIVER_AFTER_MS = 5000;

/**
 * Returns the handler for each message of a worker's consumers: decodes, de-duplicates and enqueues
 * it.
 */
export function createDeliveryHandler(deps: {
  settler: Pick<Settler, 'claim' | 'unclaim'>;
  table: Pick<ActivationTable, 'deliver'>;
  fence: Pick<AckFence, 'watch'>;
  clock: Clock;
  log: Log;
}): (message: JsMsg) => void {
  const { settler, table, fence, clock, log } = deps;
  return (message) => {
    let delivery: InFlightDelivery;
    try {
      delivery = readInFlightDelivery(message, clock.monotonicMs());
    } catch (error) {
      // A message that cannot be decoded can never be sent, so it must not be redelivered.
      log.error({ err: error, subject: message.subject }, 'delivery.undecodable');
      message.term('undecodable');
      return;
    }
    delivery.message = fence.watch(message);
    const claim = settler.claim(delivery.tenant, delivery.head);
    if (claim === 'settled') delivery.message.ack();
    if (claim !== 'new') return;
    try {
      table.deliver(delivery);
    } catch (error) {
      // An internal error: the delivery is still due, so redeliver it later.
      log.error({ err: error, subject: message.subject }, 'delivery.not_taken');
      settler.unclaim(delivery.head);
      delivery.message.nak(REDELIVER_AFTER_MS);
    }
  };
}
