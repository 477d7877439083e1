/**
 * Accepts an event for every tenant (RT-5): admits it like any other, and answers once BCAST holds
 * it. The router's broadcaster creates the copies later.
 *
 * Its id is new for as long as the stream keeps it: a repeat with the same content is answered as
 * replayed, one with other content with 409. MongoDB is not used. The deduplication formula of its
 * type is not applied: formulas compare events of one tenant.
 */
import type { Span } from '@opentelemetry/api';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { BROADCAST_SOURCE } from '#domain/event/event-id.ts';
import type { BroadcastStore } from '#infra/nats/stores/broadcast-store.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import { type EventHead, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { BROADCAST_OWNER } from '#wire/webhook/payload-link.ts';
import { idReused, notStored } from './accept-event.ts';
import type { AcceptDone, Accepted, Sender } from './accepted.ts';
import type { Admission } from '#wire/published/admission.ts';
import { checkFrameSize, eventHead } from '#wire/published/event-head.ts';
import type { EventInput } from '#wire/published/event-input.ts';
import type { EventResults } from './event-results.ts';
import type { LargePayloads } from './large-payloads.ts';
import type { StorageGate } from '../storage/storage-gate.ts';
import { endPublication, tracePublication } from './publish-span.ts';

export interface AcceptBroadcastDeps {
  admission: Admission;
  store: BroadcastStore;
  payloads: LargePayloads;
  storage: Pick<StorageGate, 'check' | 'noteRefusal'>;
  results: EventResults;
  eventBytesMax: number;
  publishTimeoutMs: number;
  tracing?: Tracing | undefined;
  clock: Clock;
}

export class AcceptBroadcast {
  private readonly deps: AcceptBroadcastDeps;

  constructor(deps: AcceptBroadcastDeps) {
    this.deps = deps;
  }

  /** Calls back exactly once, with an error or a result. */
  async accept(
    input: EventInput,
    correlationId: string,
    done: AcceptDone,
    sender: Sender = {},
  ): Promise<void> {
    let span: Span | undefined;
    const { results, clock } = this.deps;
    const startedMs = clock.monotonicMs();
    const counted: AcceptDone = (error, accepted) => {
      if (span !== undefined) endPublication(span, error);
      const tookMs = clock.monotonicMs() - startedMs;
      results.count(error, accepted, { requestId: correlationId }, tookMs);
      done(error, accepted);
    };
    let accepted: Accepted;
    try {
      this.deps.storage.check();
      const head = await this.admit(input, correlationId, sender);
      span = tracePublication(this.deps.tracing, undefined, head, sender.traceparent);
      accepted = await this.store(input, head);
    } catch (thrown) {
      this.deps.storage.noteRefusal(thrown);
      counted(thrown instanceof PosthornError ? thrown : notStored(thrown as Error), undefined);
      return;
    }
    counted(undefined, accepted);
  }

  private async admit(
    input: EventInput,
    correlationId: string,
    { producerKey }: Sender,
  ): Promise<EventHead> {
    const priority = await this.deps.admission.admit(BROADCAST_OWNER, {}, input);
    const acceptedMs = this.deps.clock.wallMs();
    const given = { source: BROADCAST_SOURCE, acceptedMs, correlationId, broadcast: true } as const;
    const head = eventHead(input, given);
    if (priority === 'high') head.priority = priority;
    if (producerKey !== undefined && this.deps.admission.isAutomatic(input)) {
      head.producerKey = producerKey;
    }
    return head;
  }

  private async store(input: EventInput, head: EventHead): Promise<Accepted> {
    const { store, eventBytesMax, publishTimeoutMs } = this.deps;
    const frame = encodeEventFrame(head, input.data);
    checkFrameSize(frame, eventBytesMax);
    const { id, fingerprint } = head;
    const stored = await this.deps.payloads.offload(BROADCAST_OWNER, head, frame);
    if (await store.add(id, stored.frame, publishTimeoutMs)) return { id, replayed: false };
    const known = await store.event(id);
    // Rejected, yet not found: the replicas have not decided on the other event yet.
    if (known === undefined) throw new PosthornError('POSTHORN_PUBLISH_NOT_ACKED');
    const first = known.event.head.fingerprint;
    if (first === undefined || first === fingerprint) return { id, replayed: true };
    throw idReused(head);
  }
}
