/**
 * Shares a publisher's window between tenants: one that publishes faster than NATS stores leaves
 * room for the others. A publication over its tenant's share is rejected, or waits behind its
 * tenant's others within the time limit of a publication.
 *
 * Bounds: the publisher's window; the batches being read bound the waiting publications.
 */
import { FairShares } from '#domain/bounds/fair-shares.ts';
import {
  type Publication,
  type Published,
  type Publisher,
  PublishWindowFullError,
} from '#infra/nats/publish/publisher.ts';

interface Waiting {
  publication: Publication;
  done: Published;
  deadlineMs: number;
  timer: NodeJS.Timeout;
}

export class TenantWindow {
  private readonly publisher: Pick<Publisher, 'publish' | 'publishWhenRoom'>;
  private readonly shares: FairShares;
  /** By tenant, in order of arrival; only tenants that wait. */
  private readonly lines = new Map<string, Set<Waiting>>();

  constructor(deps: { publisher: Pick<Publisher, 'publish' | 'publishWhenRoom'>; window: number }) {
    this.publisher = deps.publisher;
    this.shares = new FairShares(deps.window);
  }

  /** Publishes, or returns false if there is no room for this tenant. */
  publish(tenant: string, publication: Publication, done: Published): boolean {
    if (this.lines.has(tenant) || !this.shares.tryTake(tenant)) return false;
    if (this.publisher.publish(publication, this.leaving(tenant, done))) return true;
    this.shares.give(tenant);
    return false;
  }

  /** Publishes now or later; fails with a PublishWindowFullError after the time limit. */
  publishWhenRoom(tenant: string, publication: Publication, done: Published): void {
    const line = this.lines.get(tenant);
    if (line === undefined && this.shares.tryTake(tenant)) {
      this.publisher.publishWhenRoom(publication, this.leaving(tenant, done));
      return;
    }
    const timer = setTimeout(() => {
      this.remove(tenant, waiting);
      done(new PublishWindowFullError(publication.subject), undefined);
    }, publication.timeoutMs);
    const deadlineMs = performance.now() + publication.timeoutMs;
    const waiting: Waiting = { publication, done, deadlineMs, timer };
    if (line === undefined) this.lines.set(tenant, new Set([waiting]));
    else line.add(waiting);
  }

  private leaving(tenant: string, done: Published): Published {
    return (error, ack) => {
      this.shares.give(tenant);
      done(error, ack);
      if (this.lines.size > 0) this.admitNext();
    };
  }

  /** Tenants take turns. */
  private admitNext(): void {
    for (const [tenant, line] of this.lines) {
      const [first] = line;
      if (first === undefined || !this.shares.tryTake(tenant)) continue;
      this.remove(tenant, first);
      if (line.size > 0) {
        this.lines.delete(tenant);
        this.lines.set(tenant, line);
      }
      const timeoutMs = first.deadlineMs - performance.now();
      const publication = { ...first.publication, timeoutMs };
      this.publisher.publishWhenRoom(publication, this.leaving(tenant, first.done));
      return;
    }
  }

  private remove(tenant: string, waiting: Waiting): void {
    clearTimeout(waiting.timer);
    const line = this.lines.get(tenant);
    line?.delete(waiting);
    if (line?.size === 0) this.lines.delete(tenant);
  }
}
