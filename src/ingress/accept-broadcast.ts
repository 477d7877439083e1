/**
 * Accepts an event for every tenant (RT-5): admitted as any other, and answered once BCAST holds it. Nothing of it has
 * left then: the router's broadcaster makes the copies.
 *
 * Its id is new for as long as the stream keeps it: the same id and content is answered as replayed, another content
 * with 409. MongoDB is not asked. A formula of its type is not applied: what it compares are events of one tenant.
 */
import { PosthornError } from '#domain/errors.ts';
import type { BroadcastStore } from '#infra/nats/broadcast-store.ts';
import { encodeEventFrame } from '#wire/event-frame.ts';
import { type AcceptDone, type Accepted, notStored } from './accept-event.ts';
import type { Admission } from './admission.ts';
import { checkFrameSize, eventHead } from './event-head.ts';
import type { EventInput } from './event-input.ts';
import type { LargePayloads } from './large-payloads.ts';

const SOURCE = '/broadcasts';
/** Stands where a tenant does in the key of a payload: all copies share one. */
const PAYLOAD_OWNER = 'broadcast';

export interface AcceptBroadcastDeps {
  admission: Admission;
  store: BroadcastStore;
  payloads: LargePayloads;
  /** Counts what became of it. */
  count: AcceptDone;
  eventBytesMax: number;
  publishTimeoutMs: number;
  now: () => number;
}

export class AcceptBroadcast {
  private readonly deps: AcceptBroadcastDeps;

  constructor(deps: AcceptBroadcastDeps) {
    this.deps = deps;
  }

  /** Calls back once, with one of the two. */
  async accept(input: EventInput, correlationId: string, done: AcceptDone): Promise<void> {
    let accepted: Accepted;
    try {
      accepted = await this.store(input, correlationId);
    } catch (thrown) {
      const error = thrown instanceof PosthornError ? thrown : notStored(thrown as Error);
      this.deps.count(error, undefined);
      done(error, undefined);
      return;
    }
    this.deps.count(undefined, accepted);
    done(undefined, accepted);
  }

  private async store(input: EventInput, correlationId: string): Promise<Accepted> {
    const { admission, store, now, eventBytesMax, publishTimeoutMs } = this.deps;
    const priority = admission.admit({}, input);
    const head = eventHead(input, { source: SOURCE, acceptedMs: now(), correlationId });
    if (priority === 'high') head.priority = priority;
    head.broadcast = true;
    const frame = encodeEventFrame(head, input.data);
    checkFrameSize(frame, eventBytesMax);
    const { id, fingerprint } = head;
    const stored = await this.deps.payloads.putApart(PAYLOAD_OWNER, head, frame);
    if (await store.add(id, stored.frame, publishTimeoutMs)) return { id, replayed: false };
    const known = await store.event(id);
    // Refused, and not there: the replicas have not decided on the other one yet.
    if (known === undefined) throw new PosthornError('POSTHORN_PUBLISH_NOT_ACKED');
    const first = known.event.head.fingerprint;
    if (first === undefined || first === fingerprint) return { id, replayed: true };
    const detail = `${id} was used for another content; use a new id, or send the same content`;
    throw new PosthornError('POSTHORN_EVENT_ID_REUSED', { fields: [{ pointer: '/id', detail }] });
  }
}
