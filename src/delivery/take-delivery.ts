import type { JsMsg } from '@nats-io/jetstream';
import type { AckFence } from '#infra/nats/ack-fence.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ActivationTable } from './activation-table.ts';
import { readOwedDelivery } from './owed-delivery.ts';
import type { Settler } from './settle.ts';

/** What a worker does with each message of its consumers. */
export function takeDelivery(deps: {
  settler: Settler;
  table: ActivationTable;
  fence: AckFence;
  log: Log;
}): (message: JsMsg) => void {
  const { settler, table, fence, log } = deps;
  return (message) => {
    try {
      const owed = readOwedDelivery(message, performance.now());
      owed.message = fence.watch(message);
      const claim = settler.claim(owed.head);
      if (claim === 'new') table.deliver(owed);
      else if (claim === 'settled') owed.message.ack();
    } catch (error) {
      // Not a delivery of ours: it can never be sent, and must not come back for ever.
      log.error({ err: error, subject: message.subject }, 'delivery.undecodable');
      message.term('undecodable');
    }
  };
}
