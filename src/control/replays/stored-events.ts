/**
 * Finds the stored bytes of events for new deliveries (CT-6): in the history, as they were
 * published. A large event travels by reference while its stream holds it. Otherwise it is read
 * from the history, alone.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import { type EventDocument, eventKey, type History } from '#infra/mongo/documents.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { EventFacts } from '#wire/frames/delivery-frame.ts';
import {
  decodeEventFrame,
  encodeEventFrame,
  type EventFrame,
  type EventHead,
} from '#wire/frames/event-frame.ts';
import { shardOf, streams } from '#wire/subjects.ts';

/** Larger ones travel by reference, as the router's do. Base64 adds a third. */
const INLINE_CHARACTERS_MAX = 24 * 1024;

/** Why an event cannot be sent again. */
export type EventLoss = 'event_expired' | 'payload_missing';

/** An event for a new delivery. */
export interface StoredEvent {
  facts: EventFacts;
  /** Its sequence in its EV stream. */
  seq: number;
  /** Undefined: by reference. */
  bytes: Buffer | undefined;
}

export interface StoredEventsDeps {
  history: Pick<History, 'events'>;
  payloads: Pick<PayloadStore, 'size'>;
  jsm: () => Promise<JetStreamManager>;
  shards: number;
}

export class StoredEvents {
  private readonly deps: StoredEventsDeps;

  constructor(deps: StoredEventsDeps) {
    this.deps = deps;
  }

  /** @throws if MongoDB or NATS does not answer */
  async find(lifeId: string, eventId: string): Promise<StoredEvent | EventLoss> {
    const found = await this.findAll(lifeId, [eventId]);
    return found.get(eventId) ?? 'event_expired';
  }

  /**
   * Reads several events together; those without an entry have expired.
   *
   * @throws if MongoDB or NATS does not answer
   */
  async findAll(
    lifeId: string,
    eventIds: readonly string[],
  ): Promise<Map<string, StoredEvent | EventLoss>> {
    const keys = [...new Set(eventIds)].map((id) => eventKey(lifeId, id));
    const documents = await this.deps.history.events
      .aggregate<EventDocument>([
        { $match: { _id: { $in: keys }, seq: { $exists: true } } },
        { $set: { data: { $cond: [isSmall, '$data', '$$REMOVE'] } } },
      ])
      .toArray();
    const found = new Map<string, StoredEvent | EventLoss>();
    for (const document of documents) found.set(document.id, await this.read(document));
    return found;
  }

  private async read(document: EventDocument): Promise<StoredEvent | EventLoss> {
    const { payload } = document;
    if (payload !== undefined && (await this.deps.payloads.size(payload.key)) === undefined) {
      return 'payload_missing';
    }
    if (document.data !== undefined) return storedEventOf(frameOf(document), seqOf(document));
    if (await this.isInStream(document)) {
      return { facts: factsOf(headOf(document)), seq: seqOf(document), bytes: undefined };
    }
    const whole = await this.deps.history.events.findOne({ _id: document._id });
    return whole === null ? 'event_expired' : storedEventOf(frameOf(whole), seqOf(whole));
  }

  private async isInStream(document: EventDocument): Promise<boolean> {
    const jsm = await this.deps.jsm();
    const stream = streams.events(shardOf(document.tenant, this.deps.shards));
    const message = await jsm.direct.getMessage(stream, { seq: seqOf(document) });
    return message !== null && decodeEventFrame(message.data).head.id === document.id;
  }
}

/** An event whose frame is at hand, as a dead letter has it. */
export function storedEventOf({ head, bytes }: EventFrame, seq: number): StoredEvent {
  return { facts: factsOf(head), seq, bytes };
}

const isSmall = {
  $lte: [{ $strLenBytes: { $ifNull: ['$data', ''] } }, INLINE_CHARACTERS_MAX],
};

function seqOf({ seq = 0 }: EventDocument): number {
  return seq;
}

function factsOf({ id, type, acceptedMs, priority }: EventHead): EventFacts {
  return { id, type, acceptedMs, ...(priority === undefined ? {} : { priority }) };
}

/** The head that the event was published with, as far as webhooks and records need it. */
function headOf(document: EventDocument): EventHead {
  const { id, type = '', source = '', time = '', kind = 'binary', subject, dataschema } = document;
  const { producer_id: producerId, content_type: contentType, ext, payload } = document;
  return {
    id,
    ...(producerId === undefined ? {} : { producerId }),
    type,
    source,
    time,
    ...(subject === undefined ? {} : { subject }),
    ...(dataschema === undefined ? {} : { dataschema }),
    ...(contentType === undefined ? {} : { contentType }),
    kind,
    ...(document.no_data === undefined ? {} : { noData: document.no_data }),
    ...(ext === undefined ? {} : { ext }),
    acceptedMs: document.accepted_at.getTime(),
    correlationId: document.correlation_id ?? '',
    ...(payload === undefined ? {} : { payload }),
  };
}

function frameOf(document: EventDocument): EventFrame {
  const { data = '', kind } = document;
  const bytes = kind === 'binary' ? Buffer.from(data, 'base64') : data;
  return decodeEventFrame(encodeEventFrame(headOf(document), bytes));
}
