/**
 * Accepts an event: admits it, claims a chosen id, compares the event by the formula of its type,
 * publishes it, and answers only once JetStream has stored it (IN-1). The callback of the PubAck is
 * the only way to a 2xx.
 *
 * All steps use the life that the tenant had when the request arrived. If that life has ended by
 * the time of the answer, the event is rejected; the router drops a stored copy.
 */
import type { Span } from '@opentelemetry/api';
import type { Clock } from '#domain/clock.ts';
import type { Priority } from '#domain/event/priority.ts';
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
import { isStorageFull } from '#infra/nats/api-errors.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { type EventHead, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { payloadOwner } from '#wire/webhook/payload-link.ts';
import { subjects } from '#wire/subjects.ts';
import type { AcceptDone, Accepted, Sender } from './accepted.ts';
import type { Admission } from '#wire/published/admission.ts';
import type { Deduplication, DedupClaim } from '../idempotency/deduplication.ts';
import { checkFrameSize, eventHead } from '#wire/published/event-head.ts';
import type { EventInput } from '#wire/published/event-input.ts';
import type { EventResults } from './event-results.ts';
import type { Idempotency } from '../idempotency/idempotency.ts';
import type { LargePayloads } from './large-payloads.ts';
import { endPublication, tracePublication } from './publish-span.ts';
import type { StoredEvents } from '../idempotency/stored-events.ts';
import { type StorageGate, storageFull } from '../storage/storage-gate.ts';
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
  storage: Pick<StorageGate, 'check' | 'notePublication' | 'noteRefusal'>;
  eventBytesMax: number;
  publishTimeoutMs: number;
  tracing?: Tracing | undefined;
  clock: Clock;
}

/** An event that passed all checks that need nothing but the event. */
interface Offer {
  /** Life id. */
  tenant: string;
  input: EventInput;
  head: EventHead;
  frame: Buffer;
  /** Wait for room in the publisher's window. */
  wait: boolean;
}

export class AcceptEvent {
  private readonly deps: AcceptDeps;

  constructor(deps: AcceptDeps) {
    this.deps = deps;
  }

  /**
   * @param wait true: wait for room in the publisher's window (an item of a batch), within the time
   * limit of a publication; false: reject immediately
   */
  accept(
    tenant: TenantSnapshot,
    input: EventInput,
    correlationId: string,
    wait: boolean,
    done: AcceptDone,
    sender: Sender = {},
  ): void {
    let span: Span | undefined;
    const { results, clock } = this.deps;
    const startedMs = clock.monotonicMs();
    const counted: AcceptDone = (error, accepted) => {
      if (span !== undefined) endPublication(span, error);
      const tookMs = clock.monotonicMs() - startedMs;
      results.count(error, accepted, { requestId: correlationId, tenant: tenant.id }, tookMs);
      done(error, accepted);
    };
    const settled: AcceptDone = (error, accepted) => {
      if (accepted === undefined || this.deps.view.isCurrent(tenant)) counted(error, accepted);
      else void this.answerInLife(tenant, accepted, counted);
    };
    const proceed = (priority: Priority): void => {
      const acceptedMs = this.deps.clock.wallMs();
      const source = tenantSource(tenant.id);
      const head = eventHead(input, { source, acceptedMs, correlationId });
      if (priority === 'high') head.priority = priority;
      if (sender.producerKey !== undefined && this.deps.admission.isAutomatic(input)) {
        head.producerKey = sender.producerKey;
      }
      span = tracePublication(this.deps.tracing, tenant.id, head, sender.traceparent);
      const frame = encodeEventFrame(head, input.data);
      checkFrameSize(frame, this.deps.eventBytesMax);
      this.store({ tenant: lifeIdOf(tenant), input, head, frame, wait }, settled);
    };
    try {
      this.deps.storage.check();
      const admitted = this.deps.admission.admit(tenant.id, tenant, input);
      if (typeof admitted === 'string') proceed(admitted);
      else admitted.then(proceed).catch((error: unknown) => counted(asRefusal(error), undefined));
    } catch (error) {
      if (!(error instanceof PosthornError)) throw error;
      counted(error, undefined);
    }
  }

  private store(offer: Offer, done: AcceptDone): void {
    const { input, frame } = offer;
    const formula = this.deps.deduplication.formulaOf(input.type);
    const isPlain =
      input.id === undefined && formula === undefined && !this.deps.payloads.isLarge(frame.length);
    if (isPlain) this.publish(offer, done);
    else void this.compareAndPublish(offer, formula, done);
  }

  /** This process may not know the life, or the tenant was deleted after the request arrived. */
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
      else if (formula === undefined) this.publish(await this.offload(offer), done);
      else await this.publishFirst(offer, formula, done);
    } catch (error) {
      done(error instanceof PosthornError ? error : notStored(error as Error), undefined);
    }
  }

  /** @throws PosthornError if the chosen id is stored with other content */
  private async isReplayed({ tenant, head }: Offer): Promise<boolean> {
    const { id, fingerprint, acceptedMs } = head;
    if (fingerprint === undefined) return false;
    const claim = await this.deps.idempotency.claim(tenant, id, fingerprint, acceptedMs);
    if (claim === 'reused') throw idReused(head);
    return claim === 'stored';
  }

  /** Stores the event unless an equal one by the formula is stored. */
  private async publishFirst(offer: Offer, formula: Formula, done: AcceptDone): Promise<void> {
    const { deduplication, publisher, publishTimeoutMs, clock } = this.deps;
    const { tenant, input, head } = offer;
    if (publisher.room <= 0 && !offer.wait) throw new PosthornError('POSTHORN_OVERLOADED');
    const event = { tenant, id: head.id, acceptedMs: head.acceptedMs, input };
    const deadlineMs = clock.monotonicMs() + publishTimeoutMs;
    const result = await deduplication.check(formula, event, deadlineMs);
    if (result.kind === 'duplicate') {
      done(undefined, { id: result.id, replayed: false, deduplicated: true });
      return;
    }
    if (result.kind === 'replayed') return done(undefined, { id: head.id, replayed: true });
    const { claim } = result;
    const isFirst = result.kind === 'first';
    const offloaded = await this.offload(isFirst ? offer : underId(offer, result.id));
    this.publish(offloaded, (error, accepted) => {
      if (accepted === undefined) {
        const isReused = error?.code === 'POSTHORN_EVENT_ID_REUSED' && claim.created;
        if (isReused) void this.releaseClaim(claim, error, done);
        else done(error, undefined);
      } else {
        // A chosen id that was stored before: with MongoDB down, only this shows it.
        const isOld = accepted.replayed && claim.created && input.id !== undefined;
        if (isOld) void deduplication.release(claim);
        else deduplication.markStored(claim, clock.wallMs());
        done(undefined, isFirst ? accepted : { ...accepted, replayed: false, deduplicated: true });
      }
    });
  }

  /** The event of this claim will never be stored, as its id belongs to another event. */
  private async releaseClaim(
    claim: DedupClaim,
    error: PosthornError,
    done: AcceptDone,
  ): Promise<void> {
    await this.deps.deduplication.release(claim);
    done(error, undefined);
  }

  /** Moves large `data` to the payload store. */
  private async offload(offer: Offer): Promise<Offer> {
    const { tenant, head, frame } = offer;
    return { ...offer, ...(await this.deps.payloads.offload(payloadOwner(tenant), head, frame)) };
  }

  private publish(offer: Offer, done: AcceptDone): void {
    const { tenant, head, frame, wait } = offer;
    const { window, storage } = this.deps;
    storage.notePublication(frame.length);
    const { id, type } = head;
    const publication: Publication = {
      subject: subjects.event(tenant, type),
      payload: frame,
      // Contains the tenant: two tenants may use the same id.
      messageId: `${tenant}:${id}`,
      timeoutMs: this.deps.publishTimeoutMs,
      failsWhenFull: true,
    };
    const published: Published = (error, ack) => {
      if (error !== undefined) storage.noteRefusal(error);
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
   * Answers an event whose chosen id the stream already has. Only the stored event counts, so its
   * content decides: if the claim was skipped with MongoDB down, nothing has compared the two yet.
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

/** Keeps the content, but takes the id of the first event: the message id merges the two. */
function underId(offer: Offer, id: string): Offer {
  // The fingerprint covers the content that the producer of the first event sent.
  const { fingerprint: _, ...rest } = offer.head;
  const head: EventHead = { ...rest, id };
  return { ...offer, head, frame: encodeEventFrame(head, offer.input.data) };
}

function asRefusal(error: unknown): PosthornError {
  if (error instanceof PosthornError) return error;
  return new PosthornError('POSTHORN_UNEXPECTED', { cause: error });
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
  if (isStorageFull(error)) return storageFull(error);
  const detail =
    error instanceof PublishRefusedError
      ? `the message store refused the event: ${error.message}`
      : 'the event was not stored in time; send it again, with the same id if it has one';
  return new PosthornError('POSTHORN_PUBLISH_NOT_ACKED', { detail, cause: error });
}
