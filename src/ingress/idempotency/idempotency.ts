/**
 * Idempotency over the whole retention of the history (IN-6): a chosen id is claimed in the event
 * store, with a fingerprint of the content, before the event is stored.
 *
 * A claim without a sequence belongs to an unfinished try, or to an event that the projector has
 * not written yet. Publishing again is right in both cases, as the message id removes the
 * duplicate; so a crash between claim and publish costs nothing. While MongoDB is down the look-up
 * is skipped: JetStream's window of 2 minutes remains, and a metric counts it (RT-8).
 */
import { ConsecutiveBreaker, TimeoutStrategy, circuitBreaker, handleAll, timeout } from 'cockatiel';
import { Counter, type Registry } from 'prom-client';
import { type EventDocument, type History, eventKey } from '#infra/mongo/documents.ts';

const CLAIM_TIMEOUT_MS = 1000;
const AWAY_MS = 1000;

/** `fresh`: publish; `stored`: the same event is stored; `reused`: the id has other content. */
export type Claim = 'fresh' | 'stored' | 'reused';

export class Idempotency {
  private readonly history: History | undefined;
  private readonly skipped: Counter;
  // While MongoDB does not answer, later events do not wait for it.
  private readonly circuit = circuitBreaker(handleAll, {
    breaker: new ConsecutiveBreaker(1),
    halfOpenAfter: AWAY_MS,
  });
  // The driver's own limit does not apply while it selects a server: 5 s (measured).
  private readonly limit = timeout(CLAIM_TIMEOUT_MS, {
    strategy: TimeoutStrategy.Aggressive,
    // An abort after every claim creates a DOMException with its stack.
    abortOnReturn: false,
  });

  /** @param deps.history absent if the process has no MongoDB */
  constructor(deps: { history: History | undefined; registry: Registry }) {
    this.history = deps.history;
    this.skipped = new Counter({
      name: 'posthorn_ingress_idempotency_skipped_total',
      help: 'Look-ups of chosen event ids that were skipped because MongoDB was down.',
      registers: [deps.registry],
    });
  }

  async claim(tenant: string, id: string, fingerprint: string, nowMs: number): Promise<Claim> {
    const { history } = this;
    if (history === undefined) return 'fresh';
    try {
      const known = await this.ask(() =>
        history.events.findOneAndUpdate(
          { _id: eventKey(tenant, id) },
          { $setOnInsert: { tenant, id, fingerprint, accepted_at: new Date(nowMs) } },
          {
            upsert: true,
            returnDocument: 'before',
            projection: { fingerprint: 1, seq: 1 },
            // If a crash of MongoDB loses a claim, JetStream's window still removes duplicates.
            writeConcern: { w: 1 },
            timeoutMS: CLAIM_TIMEOUT_MS,
          },
        ),
      );
      return known === null ? 'fresh' : judge(known, fingerprint);
    } catch {
      this.skipped.inc();
      return 'fresh';
    }
  }

  /** Whether the event store has the event; false while MongoDB is down. */
  async isStored(tenant: string, id: string): Promise<boolean> {
    const { history } = this;
    if (history === undefined) return false;
    try {
      const known = await this.ask(() =>
        history.events.findOne(
          { _id: eventKey(tenant, id) },
          { projection: { seq: 1 }, timeoutMS: CLAIM_TIMEOUT_MS },
        ),
      );
      return known?.seq !== undefined;
    } catch {
      this.skipped.inc();
      return false;
    }
  }

  /** Without cockatiel's `wrap`, for the reason given in `EndpointSettings`. */
  private ask<T>(operation: () => Promise<T>): Promise<T> {
    return this.circuit.execute(() => this.limit.execute(operation));
  }
}

function judge(known: Pick<EventDocument, 'fingerprint' | 'seq'>, fingerprint: string): Claim {
  // Without a fingerprint the id is generated: only a client that received it can repeat it.
  if (known.fingerprint !== undefined && known.fingerprint !== fingerprint) return 'reused';
  return known.seq === undefined ? 'fresh' : 'stored';
}
