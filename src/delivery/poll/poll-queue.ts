/**
 * The queue of one endpoint that is polled (DL-19): leases, commits, extensions, and the end of
 * deliveries that are never committed. It keeps no state that it needs: after a takeover the next
 * owner of the shard continues from the stream.
 *
 * States of a delivery: queued -> leased -> committed | back in the queue -> leased … | dead
 * letter. Its lease is a schedule that puts it back.
 *
 * Crash safety: a lease is stored before its delivery is removed from the queue, and the poller
 * gets it after both. A crash in between leaves two copies; the next lease finds the first one and
 * removes the second. A commit is recorded before its lease is removed: a crash in between returns
 * the delivery once more.
 *
 * One step runs at a time, so two pollers never get the same delivery.
 */
import { limits } from '#domain/limits.ts';
import { newId } from '#domain/ids.ts';
import type { PollPolicy } from '#domain/endpoint/endpoint-policy.ts';
import { isWriteConflict } from '#infra/nats/api-errors.ts';
import { deliveryMessageId, encodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import {
  type LeaseResult,
  type LeasedDelivery,
  leaseId,
  parseLeaseId,
} from '#wire/poll-request.ts';
import { type PollQueueName, subjects } from '#wire/subjects.ts';
import {
  type QueuedDelivery,
  committedAttempt,
  endOf,
  expiredAttempt,
  readQueued,
} from './queued-delivery.ts';
import type { PollQueueDeps } from './poll-queue-deps.ts';

const STORE_TIMEOUT_MS = 5000;

export class PollQueue {
  readonly tenant: string;
  readonly endpoint: string;
  private readonly deps: PollQueueDeps;
  private turn: Promise<unknown> = Promise.resolve();
  /** Last message of the queue `back` that was examined. */
  private examinedSeq = 0;
  /** When examined deliveries in the queue `back` become too old, by sequence. */
  private readonly deadlines = new Map<number, number>();

  constructor(deps: PollQueueDeps, tenant: string, endpoint: string) {
    this.deps = deps;
    this.tenant = tenant;
    this.endpoint = endpoint;
  }

  /** Leases up to `limit` deliveries: those that were returned first, then new ones. */
  lease(policy: PollPolicy, limit: number, leaseMs: number): Promise<LeasedDelivery[]> {
    return this.inTurn(async () => {
      await this.examine(policy);
      const leased: LeasedDelivery[] = [];
      let bytes = 0;
      for (const name of ['back', 'poll'] as const) {
        for await (const queued of this.queuedIn(name)) {
          if (leased.length >= limit || !this.deps.isOwner(this.tenant)) return leased;
          if (await this.endedOf(queued, policy)) continue;
          const body = await this.deps.render(this.tenant, queued);
          if ('lost' in body) {
            await this.bury(queued, body.lost);
            continue;
          }
          if (leased.length > 0 && bytes + body.text.length > limits.pollBytesMax) return leased;
          const one = await this.leaseOne(queued, body.text, leaseMs);
          if (one === undefined) continue;
          leased.push(one);
          bytes += body.text.length;
        }
      }
      return leased;
    });
  }

  /** Records deliveries as delivered, and ends their leases. */
  commit(leases: readonly string[]): Promise<LeaseResult[]> {
    return this.inTurn(() => Promise.all(leases.map((lease) => this.commitOne(lease))));
  }

  /** Moves the end of leases to `leaseMs` from now. */
  extend(leases: readonly string[], leaseMs: number): Promise<LeaseResult[]> {
    return this.inTurn(() => Promise.all(leases.map((lease) => this.extendOne(lease, leaseMs))));
  }

  /** Turns deliveries that are over their bounds into dead letters. */
  sweep(policy: PollPolicy): Promise<void> {
    return this.inTurn(async () => {
      await this.examine(policy);
      const nowMs = this.deps.now();
      for (const [seq, dueMs] of this.deadlines) {
        if (nowMs <= dueMs) continue;
        const message = await this.deps.store.next(this.tenant, this.endpoint, 'back', seq - 1);
        this.deadlines.delete(seq);
        if (message?.seq === seq) await this.endedOf(readQueued(message), policy);
      }
      for await (const queued of this.queuedIn('poll')) {
        // Later ones entered the queue later.
        if (!(await this.endedOf(queued, policy))) return;
      }
    });
  }

  /** The endpoint was deleted: cancels every delivery, or drops it with its tenant. */
  cancelAll(isDropped: boolean): Promise<void> {
    return this.inTurn(async () => {
      for (const name of ['back', 'poll'] as const) {
        for await (const queued of this.queuedIn(name)) {
          if (!this.deps.isOwner(this.tenant)) return;
          if (!isDropped) await this.cancel(queued, 'endpoint_deleted');
          else await this.remove(queued.seq);
        }
      }
    });
  }

  private inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = this.turn.then(step);
    this.turn = result.catch(() => undefined);
    return result;
  }

  private async *queuedIn(name: PollQueueName, from = 0): AsyncGenerator<QueuedDelivery> {
    for (let afterSeq = from; ;) {
      const message = await this.deps.store.next(this.tenant, this.endpoint, name, afterSeq);
      if (message === null) return;
      afterSeq = message.seq;
      let queued: QueuedDelivery;
      try {
        queued = readQueued(message);
      } catch (error) {
        // An undecodable message can never be returned, and must not be read again.
        this.deps.log.error({ err: error, subject: message.subject }, 'delivery.undecodable');
        await this.remove(message.seq);
        continue;
      }
      yield queued;
    }
  }

  /** Records new expired leases, and ends deliveries that are over their bounds. */
  private async examine(policy: PollPolicy): Promise<void> {
    for await (const queued of this.queuedIn('back', this.examinedSeq)) {
      if (!this.deps.isOwner(this.tenant)) return;
      this.examinedSeq = queued.seq;
      if (queued.head.cancelled === true) {
        await this.cancel(queued, 'requested');
      } else if (this.deps.isCommitted(this.tenant, leaseId(queued.head.id, queued.head.hop))) {
        await this.remove(queued.seq);
      } else if (!(await this.endedOf(queued, policy))) {
        this.deps.settle.returned(
          this.where(queued),
          expiredAttempt(queued.head, this.deps.worker),
        );
        this.deadlines.set(queued.seq, queued.queuedMs + policy.maxAgeSeconds * 1000);
      }
    }
  }

  /** Whether the delivery has ended, now or before. */
  private async endedOf(queued: QueuedDelivery, policy: PollPolicy): Promise<boolean> {
    const { head, seq } = queued;
    if (this.deps.isCommitted(this.tenant, leaseId(head.id, head.hop))) {
      await this.remove(seq);
      return true;
    }
    const reason = endOf(queued, policy, this.deps.now());
    if (reason === undefined) return false;
    await this.bury(queued, reason);
    return true;
  }

  private async bury(queued: QueuedDelivery, reason: string): Promise<void> {
    await this.deps.fetch(this.tenant, queued);
    const attempt = expiredAttempt(queued.head, this.deps.worker);
    await this.deps.settle.deadLetter(this.where(queued), reason, attempt);
    await this.remove(queued.seq);
  }

  private async cancel(queued: QueuedDelivery, reason: string): Promise<void> {
    await this.deps.settle.cancel(this.where(queued), reason);
    await this.remove(queued.seq);
  }

  private async leaseOne(
    queued: QueuedDelivery,
    body: string,
    leaseMs: number,
  ): Promise<LeasedDelivery | undefined> {
    const { now, publisher, store } = this.deps;
    const startedMs = now();
    const untilMs = startedMs + leaseMs;
    const { id, hop, attemptNo, firstAttemptMs = startedMs } = queued.head;
    const lease = { id: newId('att', startedMs), no: attemptNo, startedMs, untilMs };
    const head = {
      ...queued.head,
      hop: hop + 1,
      attemptNo: attemptNo + 1,
      firstAttemptMs,
      queuedMs: queued.queuedMs,
      lease,
    };
    try {
      const { duplicate } = await publisher.publishAsync({
        subject: subjects.waiting(this.tenant, this.endpoint, id),
        payload: encodeDeliveryFrame(head, queued.eventBytes),
        messageId: deliveryMessageId(id, hop + 1),
        timeoutMs: STORE_TIMEOUT_MS,
        schedule: { atMs: untilMs, target: this.backSubject() },
        expectedSeq: 0,
      });
      // It was leased before: a crash left this copy, or the ack was late and the lease expires.
      if (duplicate) return await this.removeCopy(queued.seq);
    } catch (error) {
      if (isWriteConflict(error)) return this.removeCopy(queued.seq);
      throw error;
    }
    await store.remove(this.tenant, queued.seq);
    this.deadlines.delete(queued.seq);
    const facts = queued.event?.head ?? queued.head.byReference;
    if (facts === undefined) return undefined;
    return {
      lease: leaseId(id, hop + 1),
      untilMs,
      delivery: id,
      event: facts.id,
      type: facts.type,
      acceptedMs: facts.acceptedMs,
      attemptNo,
      ...(head.sequence === undefined ? {} : { sequence: head.sequence }),
      body,
    };
  }

  private async removeCopy(seq: number): Promise<undefined> {
    await this.remove(seq);
    return undefined;
  }

  private async commitOne(lease: string): Promise<LeaseResult> {
    const { deps, tenant } = this;
    if (deps.isCommitted(tenant, lease)) return { lease, status: 'done' };
    const held = await this.heldBy(lease);
    if (held === undefined) return { lease, status: 'expired' };
    const attempt = committedAttempt(held.head, deps.worker, deps.now());
    await deps.settle.delivered(this.where(held), attempt);
    // If it expired just now, its copy in the queue is removed when it is read.
    deps.committed(tenant, lease);
    await deps.store.remove(tenant, held.seq);
    return { lease, status: 'done' };
  }

  private async extendOne(lease: string, leaseMs: number): Promise<LeaseResult> {
    const held = await this.heldBy(lease);
    if (held?.head.lease === undefined) return { lease, status: 'expired' };
    const { now, publisher } = this.deps;
    const untilMs = now() + leaseMs;
    const { id, hop } = held.head;
    try {
      await publisher.publishAsync({
        subject: subjects.waiting(this.tenant, this.endpoint, id),
        payload: encodeDeliveryFrame(
          { ...held.head, lease: { ...held.head.lease, untilMs } },
          held.eventBytes,
        ),
        messageId: `${deliveryMessageId(id, hop)}:${held.seq}:${untilMs}`,
        timeoutMs: STORE_TIMEOUT_MS,
        schedule: { atMs: untilMs, target: this.backSubject() },
        // Refused if the lease ended in between.
        expectedSeq: held.seq,
      });
    } catch (error) {
      if (isWriteConflict(error)) return { lease, status: 'expired' };
      throw error;
    }
    return { lease, status: 'done', untilMs };
  }

  /** The delivery under a lease; undefined: the lease has ended, or never was. */
  private async heldBy(lease: string): Promise<QueuedDelivery | undefined> {
    const named = parseLeaseId(lease);
    if (named === undefined) return undefined;
    const message = await this.deps.store.leased(this.tenant, this.endpoint, named.delivery);
    if (message === null) return undefined;
    const held = readQueued(message);
    return held.head.hop === named.hop ? held : undefined;
  }

  private async remove(seq: number): Promise<void> {
    await this.deps.store.remove(this.tenant, seq);
    this.deadlines.delete(seq);
  }

  private backSubject(): string {
    return subjects.pollQueue(this.tenant, this.endpoint, 'back');
  }

  private where(queued: QueuedDelivery) {
    return { tenant: this.tenant, endpoint: this.endpoint, queued };
  }
}
