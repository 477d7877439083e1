/**
 * Merges the messages of a batch by event and delivery, so that each document is written once for a
 * batch, however many records concern it.
 * The merge is a join (a CRDT): repeating a record, or applying records in any order, in one batch
 * or in several, gives the same document. States compare by hop, then rank, then their other
 * fields; attempts are keyed by their id, and the last one compares by time; all other fields are
 * written once. So several projectors
 * may work at the same time, and a batch may be repeated after a crash.
 */
import type { DeliveryStatus } from '#domain/outcome/delivery.ts';
import {
  type DeliveryDocument,
  type DeliveryState,
  type EventDocument,
  eventKey,
  type LastAttempt,
} from '#infra/mongo/documents.ts';
import { type AttemptDocument, attemptDocument } from '#infra/mongo/history/attempts.ts';
import type { EventFrame } from '#wire/frames/event-frame.ts';
import type {
  DeliveryRecord,
  EndpointGoneRecord,
  HistoryRecord,
  RoutedRecord,
} from '#wire/frames/record.ts';
import type { SeenType } from '../event-types/automatic-types.ts';
import { AttemptsByEndpoint } from '../health/attempts.ts';
import { ChangedCells } from '../metrics/changed-cells.ts';

/** At the same hop, a final status outranks one in progress. */
const RANKS: Record<DeliveryStatus, number> = {
  pending: 0,
  held: 1,
  cancelled: 2,
  failed: 3,
  delivered: 4,
};

export interface EventChange {
  fields: EventDocument;
  /** The event itself is in the batch, so the document may be new. */
  whole: boolean;
}

export interface DeliveryChange {
  document: DeliveryDocument;
  /** The record of its creation is in the batch, so the document may be new. */
  whole: boolean;
}

export class Batch {
  readonly events = new Map<string, EventChange>();
  readonly deliveries = new Map<string, DeliveryChange>();
  readonly gone: EndpointGoneRecord[] = [];
  /** By attempt id. */
  readonly attemptDocuments = new Map<string, AttemptDocument>();
  /** The event types in the batch, by tenant and name. */
  readonly types = new Map<string, SeenType>();
  readonly attempts = new AttemptsByEndpoint();
  readonly changedCells = new ChangedCells();

  addEvent(tenant: string, seq: number, frame: EventFrame): void {
    const { head } = frame;
    const seen = { tenant, name: head.type, producerKey: head.producerKey };
    this.types.set(`${tenant}/${head.type}`, seen);
    const change = this.event(tenant, head.id, head.acceptedMs);
    change.whole = true;
    this.changedCells.addEvent(tenant, head.acceptedMs);
    const { fields } = change;
    fields.seq = seq;
    fields.type = head.type;
    fields.source = head.source;
    fields.time = head.time;
    fields.kind = head.kind;
    fields.correlation_id = head.correlationId;
    fields.data = frame.data.toString(head.kind === 'binary' ? 'base64' : 'utf8');
    if (head.subject !== undefined) fields.subject = head.subject;
    if (head.dataschema !== undefined) fields.dataschema = head.dataschema;
    if (head.contentType !== undefined) fields.content_type = head.contentType;
    if (head.producerId !== undefined) fields.producer_id = head.producerId;
    if (head.noData === true) fields.no_data = true;
    if (head.ext !== undefined) fields.ext = head.ext;
    if (head.payload !== undefined) fields.payload = head.payload;
    if (head.fingerprint !== undefined) fields.fingerprint = head.fingerprint;
  }

  addRecord(record: HistoryRecord): void {
    this.attempts.add(record);
    this.changedCells.addRecord(record);
    switch (record.k) {
      case 'routed':
        this.addRouted(record);
        return;
      case 'delivery':
        this.addDelivery(record);
        return;
      case 'endpoint-gone':
        this.gone.push(record);
    }
  }

  private addRouted(record: RoutedRecord): void {
    const { tenant, event, type, acceptedMs } = record;
    const routed = record.total ?? record.deliveries.length;
    this.event(tenant, event, acceptedMs).fields.routed = routed;
    for (const { id, endpoint, status, sequence } of record.deliveries) {
      const at = new Date(acceptedMs);
      const state: DeliveryState = {
        hop: 0,
        // Below every record of the delivery itself at hop 0.
        rank: -1,
        status,
        reason: status === 'held' ? 'endpoint_not_active' : null,
        at,
        next_attempt_at: null,
      };
      const change = this.delivery({ id, tenant, event, endpoint, type, at, sequence, state });
      change.whole = true;
    }
  }

  private addDelivery(record: DeliveryRecord): void {
    const { id, tenant, event, endpoint, type, sequence, attempt, replayOf, replay } = record;
    const state: DeliveryState = {
      hop: record.hop,
      rank: RANKS[record.status],
      status: record.status,
      reason: record.reason ?? null,
      at: new Date(attempt === undefined ? record.acceptedMs : attempt.startedMs),
      next_attempt_at: record.nextAttemptMs === undefined ? null : new Date(record.nextAttemptMs),
    };
    const at = new Date(record.acceptedMs);
    const facts = { id, tenant, event, endpoint, type, at, sequence, state };
    const { document } = this.delivery(facts);
    if (replayOf !== undefined) document.replay_of = replayOf;
    if (replay !== undefined) document.replay = replay;
    if (attempt === undefined) return;
    this.attemptDocuments.set(attempt.id, attemptDocument(record, attempt));
    (document.attempts ??= {})[attempt.id] = attempt.no;
    const last = {
      at: new Date(attempt.startedMs),
      id: attempt.id,
      status: attempt.status ?? null,
      failure: attempt.failure ?? null,
    };
    const known = document.last_attempt;
    if (known === undefined || isLater(last, known)) document.last_attempt = last;
  }

  private event(tenant: string, id: string, acceptedMs: number): EventChange {
    const key = eventKey(tenant, id);
    let change = this.events.get(key);
    if (change === undefined) {
      const fields = { _id: key, tenant, id, accepted_at: new Date(acceptedMs) };
      change = { fields, whole: false };
      this.events.set(key, change);
    }
    return change;
  }

  private delivery(facts: {
    id: string;
    tenant: string;
    event: string;
    endpoint: string;
    type: string;
    at: Date;
    sequence: number | undefined;
    state: DeliveryState;
  }): DeliveryChange {
    const known = this.deliveries.get(facts.id);
    if (known !== undefined) {
      if (isNewer(facts.state, known.document.state)) known.document.state = facts.state;
      return known;
    }
    const { id, tenant, event, endpoint, type, at, sequence, state } = facts;
    const document: DeliveryDocument = {
      _id: id,
      tenant,
      event,
      endpoint,
      type,
      accepted_at: at,
      ...(sequence === undefined ? {} : { sequence }),
      state,
    };
    const change: DeliveryChange = { document, whole: false };
    this.deliveries.set(id, change);
    return change;
  }
}

/** Compares attempts as MongoDB's `$max` does: the id is unique, so no other field counts. */
function isLater(attempt: LastAttempt, known: LastAttempt): boolean {
  const ms = attempt.at.getTime() - known.at.getTime();
  return ms === 0 ? attempt.id > known.id : ms > 0;
}

/**
 * Compares states as MongoDB's `$max` does: field by field, null below all else. Two states can
 * have the same hop and rank if a webhook was sent twice; then all processes must keep the same
 * one.
 */
function isNewer(state: DeliveryState, known: DeliveryState): boolean {
  if (state.hop !== known.hop) return state.hop > known.hop;
  if (state.rank !== known.rank) return state.rank > known.rank;
  if (state.status !== known.status) return state.status > known.status;
  if (state.reason !== known.reason) return (state.reason ?? '') > (known.reason ?? '');
  if (state.at.getTime() !== known.at.getTime()) return state.at > known.at;
  return (state.next_attempt_at?.getTime() ?? 0) > (known.next_attempt_at?.getTime() ?? 0);
}
