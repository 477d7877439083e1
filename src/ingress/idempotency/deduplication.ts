/**
 * Deduplicates events by formula (IN-7): events of one tenant that are equal in the fields named by
 * their type, within its window, count as one event. The first event claims the digest of its
 * fields in the stream DEDUP; later equal events are answered with its id.
 *
 * States of a claim: held (its event is being stored, or storing it failed) -> stored. An equal
 * event that arrives while the claim is held is published with its own content under the id of the
 * first, so that the stream's message id merges the two. So an answered event is always stored, and
 * an accepted event is stored once. A crash leaves:
 *
 * - after `claim`: a held claim. The next equal event is stored under its id.
 * - after the event's PubAck: the same, and the message id drops the next equal event. The stream
 *   forgets message ids after 2 minutes; after that, `check` queries the history for the event. If
 *   MongoDB is down too, one extra webhook is sent, under the same `webhook-id`.
 * - after `markStored`: the claim is complete.
 *
 * Keeps no state here. If NATS does not answer, the event is rejected with 503, as it could not be
 * stored either.
 */
import type { Formula } from '#domain/event/deduplication.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import type { JsonTurns } from '#infra/json-turns.ts';
import type { DedupStore, StoredDedupEntry } from '#infra/nats/stores/dedup-store.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { subjects } from '#wire/subjects.ts';
import type { EventInput } from '#wire/published/event-input.ts';
import { formulaDigest, wantedOfFormula } from './formula-digest.ts';
import type { Idempotency } from './idempotency.ts';

/** Less than the duplicate window of the stream (2 minutes). */
const DUPLICATE_WINDOW_MS = 90_000;
const MARK_TIMEOUT_MS = 5000;

/** The claim of an event under its formula. */
export interface DedupClaim {
  subject: string;
  held: StoredDedupEntry;
  /** Whether this event created the claim. */
  created: boolean;
  ttlSeconds: number;
}

/**
 * `first`: store this event. `unfinished`: store it under the id of the first. `duplicate`: the
 * first is stored. `replayed`: this event is the first, and is stored already.
 */
export type DedupResult =
  | { kind: 'first'; claim: DedupClaim }
  | { kind: 'unfinished'; id: string; claim: DedupClaim }
  | { kind: 'duplicate'; id: string }
  | { kind: 'replayed' };

export interface DeduplicationDeps {
  config: Pick<ConfigView, 'eventType'>;
  dedupStore: DedupStore;
  idempotency: Pick<Idempotency, 'isStored'>;
  turns: JsonTurns;
}

export class Deduplication {
  private readonly deps: DeduplicationDeps;

  constructor(deps: DeduplicationDeps) {
    this.deps = deps;
  }

  /** Returns undefined if events of this type are not de-duplicated. */
  formulaOf(type: string): Formula | undefined {
    return this.deps.config.eventType(type)?.deduplication;
  }

  /**
   * Claims the digest for the first event. Resolves with the treatment of this event.
   *
   * @param deadlineMs monotonic
   * @throws if NATS does not answer by then
   */
  async check(
    formula: Formula,
    event: { tenant: string; id: string; acceptedMs: number; input: EventInput },
    deadlineMs: number,
  ): Promise<DedupResult> {
    const { tenant, id, acceptedMs, input } = event;
    const outline = await this.readLarge(formula, tenant, input);
    const digest = formulaDigest(formula.fields, input, outline);
    const { bornAt } = formula;
    const subject = subjects.firstEvent(
      tenant,
      bornAt === undefined ? digest : `${digest}-${bornAt}`,
    );
    const ttlSeconds = formula.windowSeconds;
    const notBeforeMs = acceptedMs - ttlSeconds * 1000;
    const options = { ttlSeconds, notBeforeMs, deadlineMs };
    const held = await this.deps.dedupStore.claim(subject, { id, atMs: acceptedMs }, options);
    const claim: DedupClaim = { subject, held, created: held.created, ttlSeconds };
    const first = held.event;
    if (first.id === id) return first.stored ? { kind: 'replayed' } : { kind: 'first', claim };
    if (first.stored === true) return { kind: 'duplicate', id: first.id };
    const isOld = acceptedMs - first.atMs > DUPLICATE_WINDOW_MS;
    if (isOld && (await this.deps.idempotency.isStored(tenant, first.id))) {
      this.markStored(claim, acceptedMs);
      return { kind: 'duplicate', id: first.id };
    }
    return { kind: 'unfinished', id: first.id, claim };
  }

  /**
   * Scans large `data` in slices, which alternate with slices of other tenants. Resolves with
   * undefined if `data` is small or not JSON.
   */
  private async readLarge(
    { fields }: Formula,
    tenant: string,
    { kind, data }: EventInput,
  ): Promise<JsonNode | undefined> {
    const { turns } = this.deps;
    // JSON is kept as bytes only if it is large.
    if (kind !== 'json' || typeof data === 'string' || !turns.isLarge(data)) return undefined;
    return turns.read(tenant, data, wantedOfFormula(fields));
  }

  /**
   * Records, without waiting, that the event is stored. Until then the stream drops repeats by
   * message id.
   */
  markStored({ subject, held, ttlSeconds }: DedupClaim, nowMs: number): void {
    const remainingMs = held.event.atMs + ttlSeconds * 1000 - nowMs;
    const options = {
      ttlSeconds: Math.max(1, Math.ceil(remainingMs / 1000)),
      timeoutMs: MARK_TIMEOUT_MS,
    };
    this.deps.dedupStore.markStored(subject, held, options).catch(() => undefined);
  }

  /**
   * Releases the claim of an event that was not new, so that a later equal event is not dropped.
   * Never throws.
   */
  async release({ held }: DedupClaim): Promise<void> {
    await this.deps.dedupStore.release(held).catch(() => undefined);
  }
}
