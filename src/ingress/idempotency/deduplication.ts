/**
 * De-duplication by formula (IN-7): events of one tenant that are equal in the fields their type names, within its
 * window, are one event. Whoever comes first holds the formula's place in the stream DEDUP under the digest of the
 * fields; the others are answered with its id.
 *
 * A place is: held (by an event that is being stored, or whose storing failed) -> stored. One that comes while it is
 * only held is published with its own content under the id of the first, so that the stream's message id makes the
 * two one: nothing is answered that is not stored, and what was accepted is there once. What a crash leaves, by line:
 *
 * - after `hold`: the place is held. The next equal event is stored under its id.
 * - after the event's PubAck: the same, and the message id drops the next one. Once that is forgotten, after 2 minutes,
 *   the event store is asked whether the event is there; with MongoDB away too, one webhook more is sent, under the
 *   same `webhook-id`.
 * - after `markStored`: nothing is open.
 *
 * State: none here. Where NATS does not answer, the event is refused with 503, as it could not be stored either.
 */
import type { Formula } from '#domain/event/deduplication.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import type { JsonTurns } from '#infra/json-turns.ts';
import type { FirstEvents, HeldFirstEvent } from '#infra/nats/stores/dedup-store.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { subjects } from '#wire/subjects.ts';
import type { EventInput } from '../read/event-input.ts';
import { formulaDigest, wantedOfFormula } from './formula-digest.ts';
import type { Idempotency } from './idempotency.ts';

/** Less than the window in which the stream knows message ids (2 minutes). */
const ID_KNOWN_MS = 90_000;
const MARK_TIMEOUT_MS = 5000;

/** The place under a formula, as an event found it. */
export interface Place {
  subject: string;
  held: HeldFirstEvent;
  /** Made by this event, just now. */
  created: boolean;
  ttlSeconds: number;
}

/**
 * `first`: this event is to be stored. `unfinished`: it is to be stored under the id of the first. `duplicate`: the
 * first is stored. `replayed`: the first is this event itself, and is stored.
 */
export type Standing =
  | { kind: 'first'; place: Place }
  | { kind: 'unfinished'; id: string; place: Place }
  | { kind: 'duplicate'; id: string }
  | { kind: 'replayed' };

export interface DeduplicationDeps {
  config: Pick<ConfigView, 'eventType'>;
  firstEvents: FirstEvents;
  idempotency: Pick<Idempotency, 'isStored'>;
  turns: JsonTurns;
}

export class Deduplication {
  private readonly deps: DeduplicationDeps;

  constructor(deps: DeduplicationDeps) {
    this.deps = deps;
  }

  /** Undefined: events of this type are not compared. */
  formulaOf(type: string): Formula | undefined {
    return this.deps.config.eventType(type)?.deduplication;
  }

  /**
   * Finds what an event is under the formula, and holds the place where it is the first.
   *
   * @param deadlineMs monotonic
   * @throws where NATS does not answer by then
   */
  async stand(
    formula: Formula,
    event: { tenant: string; id: string; acceptedMs: number; input: EventInput },
    deadlineMs: number,
  ): Promise<Standing> {
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
    const held = await this.deps.firstEvents.hold(subject, { id, atMs: acceptedMs }, options);
    const place: Place = { subject, held, created: held.created, ttlSeconds };
    const first = held.event;
    if (first.id === id) return first.stored ? { kind: 'replayed' } : { kind: 'first', place };
    if (first.stored === true) return { kind: 'duplicate', id: first.id };
    const isOld = acceptedMs - first.atMs > ID_KNOWN_MS;
    if (isOld && (await this.deps.idempotency.isStored(tenant, first.id))) {
      this.markStored(place, acceptedMs);
      return { kind: 'duplicate', id: first.id };
    }
    return { kind: 'unfinished', id: first.id, place };
  }

  /** Reads large `data` in turns with that of other tenants; undefined where it is small or not JSON. */
  private async readLarge(
    { fields }: Formula,
    tenant: string,
    { kind, data }: EventInput,
  ): Promise<JsonNode | undefined> {
    const { turns } = this.deps;
    // JSON is bytes only where it is large.
    if (kind !== 'json' || typeof data === 'string' || !turns.isLarge(data)) return undefined;
    return turns.read(tenant, data, wantedOfFormula(fields));
  }

  /** The event is stored. Nobody waits: until it is said, equal events are dropped by their message id. */
  markStored({ subject, held, ttlSeconds }: Place, nowMs: number): void {
    const restMs = held.event.atMs + ttlSeconds * 1000 - nowMs;
    const options = {
      ttlSeconds: Math.max(1, Math.ceil(restMs / 1000)),
      timeoutMs: MARK_TIMEOUT_MS,
    };
    this.deps.firstEvents.markStored(subject, held, options).catch(() => undefined);
  }

  /** The event was not new after all: what is equal to it from now on must not be lost to it. Never throws. */
  async release({ held }: Place): Promise<void> {
    await this.deps.firstEvents.release(held).catch(() => undefined);
  }
}
