/**
 * Shares a publisher's window between tenants: one that publishes faster than NATS stores leaves
 * room for the others. A publication over its tenant's share is rejected, or waits behind its
 * tenant's others within the time limit of a publication.
 *
 * Bounds: the publisher's window; the batches being read bound the waiting publications.
 */
import type { Clock } from '#domain/clock.ts';
import { DeficitRoundRobin, Flow } from '#domain/contention/deficit-round-robin.ts';
import { FairShares } from '#domain/contention/fair-shares.ts';
import {
  type Publication,
  type Published,
  type Publisher,
  PublishWindowFullError,
} from '#infra/nats/publish/publisher.ts';

/** The waiting publications of one tenant, in order of arrival. */
class Backlog {
  readonly tenant: string;
  readonly waiting = new Set<Waiting>();
  readonly flow: Flow<Backlog>;

  constructor(tenant: string) {
    this.tenant = tenant;
    this.flow = new Flow<Backlog>(this);
  }
}

interface Waiting {
  publication: Publication;
  done: Published;
  deadlineMs: number;
  timer: NodeJS.Timeout;
}

export class TenantWindow {
  private readonly publisher: Pick<Publisher, 'publish' | 'publishWhenRoom'>;
  private readonly shares: FairShares;
  private readonly clock: Clock;
  /** Only of tenants that wait. Tenants take turns of one publication. */
  private readonly backlogs = new Map<string, Backlog>();
  private readonly ring = new DeficitRoundRobin<Backlog>(() => 1);

  constructor(deps: {
    publisher: Pick<Publisher, 'publish' | 'publishWhenRoom'>;
    window: number;
    clock: Clock;
  }) {
    this.publisher = deps.publisher;
    this.shares = new FairShares(deps.window);
    this.clock = deps.clock;
  }

  /** Publishes, or returns false if there is no room for this tenant. */
  publish(tenant: string, publication: Publication, done: Published): boolean {
    if (this.backlogs.has(tenant) || !this.shares.tryTake(tenant)) return false;
    if (this.publisher.publish(publication, this.leaving(tenant, done))) return true;
    this.shares.give(tenant);
    return false;
  }

  /** Publishes now or later; fails with a PublishWindowFullError after the time limit. */
  publishWhenRoom(tenant: string, publication: Publication, done: Published): void {
    const known = this.backlogs.get(tenant);
    if (known === undefined && this.shares.tryTake(tenant)) {
      this.publisher.publishWhenRoom(publication, this.leaving(tenant, done));
      return;
    }
    const backlog = known ?? this.beginBacklog(tenant);
    const timer = setTimeout(() => {
      this.remove(backlog, waiting);
      done(new PublishWindowFullError(publication.subject), undefined);
    }, publication.timeoutMs);
    const deadlineMs = this.clock.monotonicMs() + publication.timeoutMs;
    const waiting: Waiting = { publication, done, deadlineMs, timer };
    backlog.waiting.add(waiting);
  }

  private beginBacklog(tenant: string): Backlog {
    const backlog = new Backlog(tenant);
    this.backlogs.set(tenant, backlog);
    this.ring.join(backlog.flow);
    return backlog;
  }

  private leaving(tenant: string, done: Published): Published {
    return (error, ack) => {
      this.shares.give(tenant);
      done(error, ack);
      if (this.ring.size > 0) this.admitNext();
    };
  }

  /** Publishes for the first tenant in the ring that has a share left. */
  private admitNext(): void {
    for (let tried = 0; tried < this.ring.size; tried++) {
      const backlog = this.ring.head as Backlog;
      if (this.shares.tryTake(backlog.tenant)) return this.admit(backlog);
      this.ring.pass();
    }
  }

  private admit(backlog: Backlog): void {
    const [first] = backlog.waiting;
    if (first === undefined) return;
    if (backlog.waiting.size > 1) this.ring.spend();
    this.remove(backlog, first);
    const timeoutMs = first.deadlineMs - this.clock.monotonicMs();
    const publication = { ...first.publication, timeoutMs };
    this.publisher.publishWhenRoom(publication, this.leaving(backlog.tenant, first.done));
  }

  private remove(backlog: Backlog, waiting: Waiting): void {
    clearTimeout(waiting.timer);
    backlog.waiting.delete(waiting);
    if (backlog.waiting.size > 0) return;
    this.backlogs.delete(backlog.tenant);
    this.ring.leave(backlog.flow);
  }
}
