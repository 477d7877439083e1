/**
 * Accepts an event: admitted, claimed where its id was chosen, compared with others where its type has a formula,
 * published, and answered only once JetStream has stored it (IN-1). There is no other way to a 2xx: the callback of the PubAck is the line.
 *
 * All of it is done in the life that the tenant had when the request came. Where that has ended by the time of
 * the answer, the event is refused: what is stored of it is never routed.
 */
import type { Span } from '@opentelemetry/api';
import type { Formula } from '#domain/event/deduplication.ts';
import { PosthornError } from '#domain/errors.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import { tenantSource } from '#domain/event/event-id.ts';
import {
  type Publication,
  type Published,
  type Publisher,
  PublishRefusedError,
  PublishWindowFullError,
} from '#infra/nats/publish/publisher.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { type EventHead, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { payloadOwner } from '#wire/webhook/payload-link.ts';
import { subjects } from '#wire/subjects.ts';
import type { AcceptDone, Accepted } from './accepted.ts';
import type { Admission } from './admission.ts';
import type { Deduplication, Place } from '../idempotency/deduplication.ts';
import { checkFrameSize, eventHead } from './event-head.ts';
import type { EventInput } from '../read/event-input.ts';
import type { EventResults } from './event-results.ts';
import type { Idempotency } from '../idempotency/idempotency.ts';
import type { LargePayloads } from './large-payloads.ts';
import { endPublication, tracePublication } from './publish-span.ts';
import type { StoredEvents } from '../idempotency/stored-events.ts';
import type { TenantWindow } from '../fairness/tenant-window.ts';
import type { LifeView } from '#infra/nats/lives/life-view.ts';

export interface AcceptDeps {
  admission: Admission;
  idempotency: Idempotency;
  deduplication: Deduplication;
  payloads: LargePayloads;
  publisher: Pick<Publisher, 'room'>;
  window: TenantWindow;
  stored: Pick<StoredEvents, 'hasContent'>;
  results: EventResults;
  view: Pick<LifeView, 'isCurrent' | 'confirm'>;
  eventBytesMax: number;
  publishTimeoutMs: number;
  tracing?: Tracing | undefined;
  now: () => number;
}

/** An event that may be stored, as far as it can be seen by itself. */
interface Offer {
  /** Life id. */
  tenant: string;
  input: EventInput;
  head: EventHead;
  frame: Buffer;
  /** For room in the publisher's window. */
  wait: boolean;
}

export class AcceptEvent {
  private readonly deps: AcceptDeps;

  constructor(deps: AcceptDeps) {
    this.deps = deps;
  }

  /**
   * @param wait true: wait for room in the publisher's window (an item of a batch), as long as a publish
   *   may take in all; false: refuse at once
   * @param traceparent of the request
   */
  accept(
    tenant: TenantSnapshot,
    input: EventInput,
    correlationId: string,
    wait: boolean,
    done: AcceptDone,
    traceparent?: string,
  ): void {
    let span: Span | undefined;
    const counted: AcceptDone = (error, accepted) => {
      if (span !== undefined) endPublication(span, error);
      this.deps.results.count(error, accepted, { requestId: correlationId, tenant: tenant.id });
      done(error, accepted);
    };
    const settled: AcceptDone = (error, accepted) => {
      if (accepted === undefined || this.deps.view.isCurrent(tenant)) counted(error, accepted);
      else void this.answerInLife(tenant, accepted, counted);
    };
    try {
      const priority = this.deps.admission.admit(tenant, input);
      const acceptedMs = this.deps.now();
      const source = tenantSource(tenant.id);
      const head = eventHead(input, { source, acceptedMs, correlationId });
      if (priority === 'high') head.priority = priority;
      span = tracePublication(this.deps.tracing, tenant.id, head, traceparent);
      const frame = encodeEventFrame(head, input.data);
      checkFrameSize(frame, this.deps.eventBytesMax);
      const offer: Offer = { tenant: lifeIdOf(tenant), input, head, frame, wait };
      const formula = this.deps.deduplication.formulaOf(input.type);
      const isPlain =
        input.id === undefined &&
        formula === undefined &&
        !this.deps.payloads.isLarge(frame.length);
      if (isPlain) this.publish(offer, settled);
      else void this.compareAndPublish(offer, formula, settled);
    } catch (error) {
      if (!(error instanceof PosthornError)) throw error;
      counted(error, undefined);
    }
  }

  /** This process may not know the tenant's life, or the tenant was deleted since the request came. */
  private async answerInLife(
    tenant: TenantSnapshot,
    accepted: Accepted,
    done: AcceptDone,
  ): Promise<void> {
    const fault = await this.deps.view.confirm(tenant).then(
      (isCurrent) => (isCurrent ? undefined : lifeEnded(tenant)),
      (error: unknown) => new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error }),
    );
    if (fault === undefined) done(undefined, accepted);
    else done(fault, undefined);
  }

  private async compareAndPublish(
    offer: Offer,
    formula: Formula | undefined,
    done: AcceptDone,
  ): Promise<void> {
    try {
      if (await this.isReplayed(offer)) done(undefined, { id: offer.head.id, replayed: true });
      else if (formula === undefined) this.publish(await this.putApart(offer), done);
      else await this.publishFirst(offer, formula, done);
    } catch (error) {
      done(error instanceof PosthornError ? error : notStored(error as Error), undefined);
    }
  }

  /** @throws PosthornError where the id that was chosen has another content */
  private async isReplayed({ tenant, head }: Offer): Promise<boolean> {
    const { id, fingerprint, acceptedMs } = head;
    if (fingerprint === undefined) return false;
    const claim = await this.deps.idempotency.claim(tenant, id, fingerprint, acceptedMs);
    if (claim === 'reused') throw idReused(head);
    return claim === 'stored';
  }

  /** Stores the event unless one that is equal by the formula is stored. */
  private async publishFirst(offer: Offer, formula: Formula, done: AcceptDone): Promise<void> {
    const { deduplication, publisher, publishTimeoutMs, now } = this.deps;
    const { tenant, input, head } = offer;
    if (publisher.room <= 0 && !offer.wait) throw new PosthornError('POSTHORN_OVERLOADED');
    const event = { tenant, id: head.id, acceptedMs: head.acceptedMs, input };
    const deadlineMs = performance.now() + publishTimeoutMs;
    const standing = await deduplication.stand(formula, event, deadlineMs);
    if (standing.kind === 'duplicate') {
      done(undefined, { id: standing.id, replayed: false, deduplicated: true });
      return;
    }
    if (standing.kind === 'replayed') return done(undefined, { id: head.id, replayed: true });
    const { place } = standing;
    const isFirst = standing.kind === 'first';
    const apart = await this.putApart(isFirst ? offer : underId(offer, standing.id));
    this.publish(apart, (error, accepted) => {
      if (accepted === undefined) {
        const isReused = error?.code === 'POSTHORN_EVENT_ID_REUSED' && place.created;
        if (isReused) void this.leavePlace(place, error, done);
        else done(error, undefined);
      } else {
        // An id that was chosen and stored before: while MongoDB was away, nothing else said so.
        const isOld = accepted.replayed && place.created && input.id !== undefined;
        if (isOld) void deduplication.release(place);
        else deduplication.markStored(place, now());
        done(undefined, isFirst ? accepted : { ...accepted, replayed: false, deduplicated: true });
      }
    });
  }

  /** What the place is held for will never be stored: its id is another event's. */
  private async leavePlace(place: Place, error: PosthornError, done: AcceptDone): Promise<void> {
    await this.deps.deduplication.release(place);
    done(error, undefined);
  }

  /** With its `data` in the store of payloads, where it is large. */
  private async putApart(offer: Offer): Promise<Offer> {
    const { tenant, head, frame } = offer;
    return { ...offer, ...(await this.deps.payloads.putApart(payloadOwner(tenant), head, frame)) };
  }

  private publish(offer: Offer, done: AcceptDone): void {
    const { tenant, head, frame, wait } = offer;
    const { window } = this.deps;
    const { id, type } = head;
    const publication: Publication = {
      subject: subjects.event(tenant, type),
      payload: frame,
      // The tenant stands in it: two tenants may use the same id.
      messageId: `${tenant}:${id}`,
      timeoutMs: this.deps.publishTimeoutMs,
    };
    const published: Published = (error, ack) => {
      if (error instanceof PublishWindowFullError) {
        done(new PosthornError('POSTHORN_OVERLOADED'), undefined);
      } else if (ack === undefined) done(notStored(error as Error), undefined);
      else if (ack.duplicate && head.fingerprint !== undefined) {
        void this.answerRepeat(offer, head.fingerprint, ack.seq, done);
      } else done(undefined, { id, replayed: ack.duplicate });
    };
    if (wait) window.publishWhenRoom(tenant, publication, published);
    else if (!window.publish(tenant, publication, published)) {
      done(new PosthornError('POSTHORN_OVERLOADED'), undefined);
    }
  }

  /**
   * The stream has an event of this id, which was chosen. Only that one is stored, so its content decides: where the
   * claim was skipped, MongoDB being away, nothing else has compared the two.
   */
  private async answerRepeat(
    { tenant, head }: Offer,
    fingerprint: string,
    seq: number,
    done: AcceptDone,
  ): Promise<void> {
    const fault = await this.deps.stored.hasContent(tenant, seq, fingerprint).then(
      (same) => (same ? undefined : idReused(head)),
      (error: unknown) => notStored(error as Error),
    );
    if (fault === undefined) done(undefined, { id: head.id, replayed: true });
    else done(fault, undefined);
  }
}

/** Its content, as that of the event which came first: the message id makes the two one. */
function underId(offer: Offer, id: string): Offer {
  // The fingerprint is of the content that the first one's producer sent.
  const { fingerprint: _, ...rest } = offer.head;
  const head: EventHead = { ...rest, id };
  return { ...offer, head, frame: encodeEventFrame(head, offer.input.data) };
}

export function idReused({
  id,
  producerId,
  source,
}: Pick<EventHead, 'id' | 'producerId' | 'source'>): PosthornError {
  const named = producerId === undefined ? id : `${producerId} from ${source}`;
  const detail = `${named} was used for another content; use a new id, or send the same content`;
  return new PosthornError('POSTHORN_EVENT_ID_REUSED', { fields: [{ pointer: '/id', detail }] });
}

function lifeEnded({ id }: TenantSnapshot): PosthornError {
  return new PosthornError('POSTHORN_PUBLISH_NOT_ACKED', {
    detail: `the tenant ${id} was deleted while the event was being stored; send it again`,
  });
}

export function notStored(error: Error): PosthornError {
  const detail =
    error instanceof PublishRefusedError
      ? `the message store refused the event: ${error.message}`
      : 'the event was not stored in time; send it again, with the same id where it has one';
  return new PosthornError('POSTHORN_PUBLISH_NOT_ACKED', { detail, cause: error });
}
