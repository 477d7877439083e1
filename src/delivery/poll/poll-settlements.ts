import type { Clock } from '#domain/clock.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import { replayLinkOf } from '#wire/frames/delivery-frame.ts';
import type { AttemptRecord, DeliveryRecord } from '#wire/frames/record.ts';
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';
import type { Settler } from '../settlement/settle.ts';
import type { QueuedDelivery } from './queued-delivery.ts';

interface Located {
  tenant: string;
  endpoint: string;
  queued: QueuedDelivery;
}

type Settlement = (settler: Pick<Settler, 'deadLetter' | 'cancel'>, one: InFlightDelivery) => void;

/**
 * Stores the results of polled deliveries. Each resolves once its result is stored: only then the
 * caller removes the message.
 */
export class PollSettlements {
  private readonly settler: Pick<Settler, 'deadLetter' | 'cancel'>;
  private readonly records: Pick<RecordBatcher, 'add'>;
  private readonly clock: Clock;

  constructor(deps: {
    settler: Pick<Settler, 'deadLetter' | 'cancel'>;
    records: Pick<RecordBatcher, 'add'>;
    clock: Clock;
  }) {
    this.settler = deps.settler;
    this.records = deps.records;
    this.clock = deps.clock;
  }

  /** @throws Error if it could not be stored in time */
  deadLetter(at: Located, reason: string, attempt: AttemptRecord | undefined): Promise<void> {
    return this.settle(at, (settler, one) => settler.deadLetter(one, reason, attempt));
  }

  /** @throws Error if it could not be stored in time */
  cancel(at: Located, reason: string): Promise<void> {
    return this.settle(at, (settler, one) => settler.cancel(one, reason));
  }

  delivered(at: Located, attempt: AttemptRecord | undefined): Promise<void> {
    return new Promise((stored) => this.record(at, 'delivered', attempt, stored));
  }

  /** The delivery is in its queue again. Recorded again after a takeover. */
  returned(at: Located, attempt: AttemptRecord | undefined): void {
    this.record(at, 'pending', attempt, () => {});
  }

  private settle({ tenant, endpoint, queued }: Located, settlement: Settlement): Promise<void> {
    const { head, eventBytes, event } = queued;
    return new Promise((stored, reject) => {
      const failed = (): void => reject(new Error('the result was not stored in time'));
      settlement(this.settler, {
        message: { ack: stored, nak: failed, working: doNothing },
        queueHandle: {
          blocks: false,
          isHeld: false,
          wait: failed,
          hold: failed,
          block: failed,
          retryLater: failed,
        },
        tenant,
        endpoint,
        deliveryClass: 'p',
        head,
        eventBytes,
        event,
        receivedMs: this.clock.monotonicMs(),
      });
    });
  }

  private record(
    { tenant, endpoint, queued }: Located,
    status: 'delivered' | 'pending',
    attempt: AttemptRecord | undefined,
    stored: () => void,
  ): void {
    const { head, event } = queued;
    const facts = event?.head ?? head.byReference;
    if (facts === undefined) return stored();
    const record: DeliveryRecord = {
      k: 'delivery',
      tenant,
      event: facts.id,
      type: facts.type,
      acceptedMs: facts.acceptedMs,
      id: head.id,
      endpoint,
      hop: head.hop,
      status,
      ...replayLinkOf(head),
      ...(attempt === undefined ? {} : { attempt }),
    };
    this.records.add(record, stored);
  }
}

function doNothing(): void {}
