/** Converts messages of the streams of events and records to items of the live tail. */
import { asBuffer, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { decodeRecords, type HistoryRecord } from '#wire/frames/record.ts';
import { parseEventSubject } from '#wire/subjects.ts';
import { summarizeDelivery } from '../history/delivery-reads.ts';
import { summarizeEvent } from '../history/event-reads.ts';
import { Batch } from '../projector/merge.ts';
import { summarizeAttempt } from '../search/resources.ts';

export const tailKinds = ['event', 'delivery', 'attempt'] as const;
export type TailKind = (typeof tailKinds)[number];

type Facts = Readonly<Record<string, unknown>>;

/** A change of an event, a delivery or an attempt. Its text is built once, for all readers. */
export class TailItem {
  readonly kind: TailKind;
  readonly lifeId: string;
  readonly eventType: string;
  /** The fields of the item, and those that filters read in addition. */
  private readonly facts: Facts;
  private readonly extra: Facts;
  private text: string | undefined;

  constructor(
    kind: TailKind,
    lifeId: string,
    eventType: string,
    { facts, extra = {} }: { facts: Facts; extra?: Facts },
  ) {
    this.kind = kind;
    this.lifeId = lifeId;
    this.eventType = eventType;
    this.facts = facts;
    this.extra = extra;
  }

  /** The value of a field that a filter names. */
  field(name: string): unknown {
    return this.facts[name] ?? this.extra[name];
  }

  /** The lines of a message of an event stream, without its id and its empty line. */
  get lines(): string {
    this.text ??= `event: ${this.kind}\ndata: ${JSON.stringify(this.facts)}\n`;
    return this.text;
  }
}

const NO_DATA = Buffer.alloc(0);

/**
 * The items of a message.
 *
 * @throws SyntaxError for an undecodable message
 */
export function tailItems(subject: string, seq: number, data: Uint8Array): TailItem[] {
  if (!subject.startsWith('ev.')) return decodeRecords(data).flatMap(itemsOfRecord);
  const { tenant } = parseEventSubject(subject);
  const batch = new Batch();
  // Lists leave the data out; its text may have megabytes.
  batch.addEvent(tenant, seq, { ...decodeEventFrame(asBuffer(data)), data: NO_DATA });
  return eventItems(batch);
}

function itemsOfRecord(record: HistoryRecord): TailItem[] {
  const batch = new Batch();
  batch.addRecord(record);
  return [...eventItems(batch), ...deliveryItems(batch, record), ...attemptItems(batch)];
}

function eventItems({ events }: Batch): TailItem[] {
  return [...events.values()].map(({ fields }) => {
    return new TailItem('event', fields.tenant, fields.type ?? '', {
      facts: summarizeEvent(fields),
    });
  });
}

function deliveryItems({ deliveries }: Batch, record: HistoryRecord): TailItem[] {
  const attempt = record.k === 'delivery' ? record.attempt : undefined;
  const attemptCount = record.k === 'routed' ? 0 : (attempt?.no ?? null);
  return [...deliveries.values()].map(({ document }) => {
    const facts = { ...summarizeDelivery(document), attempt_count: attemptCount };
    const extra = { failure: attempt?.failure, ...responseFacts(attempt?.status) };
    return new TailItem('delivery', document.tenant, document.type, { facts, extra });
  });
}

function attemptItems({ attemptDocuments }: Batch): TailItem[] {
  return [...attemptDocuments.values()].map((attempt) => {
    const extra = responseFacts(attempt.response_status);
    return new TailItem('attempt', attempt.tenant, attempt.type, {
      facts: summarizeAttempt(attempt),
      extra,
    });
  });
}

function responseFacts(status: number | undefined): Facts {
  if (status === undefined) return {};
  return { response_status: status, response_class: `${Math.floor(status / 100)}xx` };
}
