/**
 * Shares the window of a shard's consumer between its tenants (design: docs/adr, "Tenants that are
 * behind"). An event of a tenant within its share of the unacked events is routed immediately. With
 * the first event over the share the tenant is behind: its events are acked, so that those of other
 * tenants arrive, and are routed as fast as the tenant's filters and fan-out allow
 * (`behind-tenant.ts`).
 *
 * An event of a tenant that is not behind costs its place in the window and nothing else.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import { FairSemaphore } from '#domain/contention/fair-semaphore.ts';
import { limits } from '#domain/limits.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { BehindStore } from '#infra/nats/stores/behind-store.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import { withTimeout } from '#infra/with-timeout.ts';
import type { BehindState } from '#wire/behind-state.ts';
import { streams } from '#wire/subjects.ts';
import { type ConsumedEvent, type InFlightEvent, WORKING_EVERY_MS } from '../in-flight-event.ts';
import { type BehindShard, BehindTenant } from './behind-tenant.ts';
import { BehindWriter } from './behind-writer.ts';
import { Walk } from './walk.ts';
import { WindowShares } from './window-shares.ts';

/** How often `from` is stored while events are routed. After a crash these are routed again. */
const SAVE_EVERY_MS = 500;
const LAST_SAVE_MS = 1000;
const POLL_MS = 100;

export interface BehindTenantsDeps {
  shard: number;
  jsm: JetStreamManager;
  store: BehindStore;
  lives: TenantLives;
  /** Whether this process owns the shard, by the clock. */
  isOwner: () => boolean;
  route: (event: InFlightEvent) => void;
  /** Another router wrote the key of the shard. */
  onOvertaken: () => void;
  onStep?: BehindShard['onStep'] | undefined;
  log: Log;
  clock: Clock;
}

export class BehindTenants {
  private readonly deps: BehindTenantsDeps;
  private readonly writer: BehindWriter;
  private readonly shard: BehindShard;
  private readonly slots = new FairSemaphore(limits.behindBatchesMax);
  private readonly fault: RepeatingFault;
  private readonly tenants = new Map<string, BehindTenant>();
  private shares: WindowShares | undefined;
  /** The highest sequence that the consumer delivered. */
  private highest = 0;
  private saving: NodeJS.Timeout | undefined;
  private working: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(deps: BehindTenantsDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'router.behind_not_read', deps.clock.monotonicMs);
    this.writer = new BehindWriter({
      ...deps,
      owns: deps.isOwner,
      tenants: () => this.state(),
    });
    this.shard = {
      lives: deps.lives,
      save: () => this.writer.save(),
      isWanted: () => this.isWanted(),
      tryTake: (event) => this.tryTake(event),
      route: deps.route,
      onCaughtUp: (tenant, held) => this.onCaughtUp(tenant, held),
      onStep: deps.onStep ?? (() => {}),
    };
  }

  /**
   * Reads which tenants are behind. Call it before the first event arrives.
   *
   * @param places those of the consumer's window
   * @throws OvertakenError, or an error if NATS does not answer
   */
  async open(places: number): Promise<void> {
    const { jsm, shard, clock } = this.deps;
    this.shares = new WindowShares(places, clock);
    const known = Object.entries(await this.writer.acquire());
    if (known.length > 0) {
      // An ack of the previous owner may still be on its way, for an event of before this moment.
      // So the walk routes every event up to the last one, whether it was acked or not.
      const { state } = await jsm.streams.info(streams.events(shard));
      for (const [tenant, { since, from, waiting }] of known) {
        const target = Math.max(state.last_seq, since);
        this.add(tenant, { since, from, waiting, target });
      }
    }
    this.working = setInterval(() => {
      for (const tenant of this.tenants.values()) tenant.working();
    }, WORKING_EVERY_MS);
    this.working.unref();
  }

  /**
   * Continues for the tenants that were behind. Each waits until the consumer has delivered the
   * tenant's unacked events from before it was behind, as they go first.
   *
   * @param hasReceivedAll whether the consumer has delivered all its messages
   */
  async resume(hasReceivedAll: () => Promise<boolean>): Promise<void> {
    let waiting = [...this.tenants.values()];
    while (waiting.length > 0 && this.isWanted()) {
      const all = await hasReceivedAll().catch(() => false);
      const isReady = ({ since }: BehindTenant): boolean => all || this.highest >= since;
      for (const tenant of waiting.filter(isReady)) this.follow(tenant.catchUp());
      waiting = waiting.filter((tenant) => !isReady(tenant));
      if (waiting.length > 0) await delay(POLL_MS, undefined, { ref: false });
    }
  }

  /** Takes an event from the consumer, in the order of the stream. */
  take(event: ConsumedEvent): void {
    if (event.seq > this.highest) this.highest = event.seq;
    const behind = this.tenants.size === 0 ? undefined : this.tenants.get(event.tenant);
    if (behind !== undefined) behind.take(event);
    else if (this.tryTake(event)) this.deps.route(event);
    else this.enter(event);
  }

  /**
   * An event of the consumer is no longer in flight.
   *
   * @param delayMs it is redelivered after this time
   */
  onEnd(event: ConsumedEvent, delayMs: number | undefined): void {
    this.shares?.end(event, delayMs);
  }

  /** No event is being routed that the consumer does not have in flight. */
  get isQuiet(): boolean {
    for (const tenant of this.tenants.values()) if (!tenant.isQuiet) return false;
    return true;
  }

  /** Reads no more events, and forgets those that are held. */
  stop(): void {
    this.stopped = true;
    clearInterval(this.working);
    for (const tenant of this.tenants.values()) tenant.stop();
  }

  /** Stores how far the tenants are, after `stop`. If that fails, some events are routed again. */
  async saveLast(): Promise<void> {
    clearTimeout(this.saving);
    if (this.tenants.size === 0) return;
    await withTimeout(
      LAST_SAVE_MS,
      this.writer.save().catch(() => {}),
    );
  }

  /** Stops immediately: another router may own the shard. */
  close(): void {
    this.stop();
    clearTimeout(this.saving);
  }

  private isWanted(): boolean {
    return !this.stopped && this.deps.isOwner();
  }

  private tryTake(event: ConsumedEvent): boolean {
    return event.hasPlace || (this.shares as WindowShares).tryTake(event);
  }

  private enter(event: ConsumedEvent): void {
    const { tenant, seq } = event;
    const facts = { tenant_id: tenantIdOf(tenant), shard: this.deps.shard, seq };
    this.deps.log.warn(facts, 'router.tenant_behind');
    const start = { since: seq, from: seq, waiting: 0, target: seq - 1 };
    this.follow(this.add(tenant, start).enter(event));
  }

  private add(
    tenant: string,
    start: { since: number; from: number; waiting: number; target: number },
  ): BehindTenant {
    const { jsm, shard, route, isOwner } = this.deps;
    const walk = (onRouted: () => void): Walk =>
      new Walk(
        {
          jsm,
          stream: streams.events(shard),
          tenant,
          slots: this.slots,
          route,
          isOwner,
          isWanted: () => this.isWanted(),
          onRouted: () => {
            onRouted();
            this.saveSoon();
          },
          fault: this.fault,
        },
        start.from,
      );
    const added = new BehindTenant({ shard: this.shard, tenant, ...start, walk });
    this.tenants.set(tenant, added);
    return added;
  }

  private follow(course: Promise<void>): void {
    course.catch((error: unknown) => this.failed(error));
  }

  private failed(error: unknown): void {
    if (this.stopped) return;
    this.deps.log.error({ err: error, shard: this.deps.shard }, 'router.behind_stopped');
    this.deps.onOvertaken();
  }

  private onCaughtUp({ tenant }: BehindTenant, held: ConsumedEvent[]): void {
    this.tenants.delete(tenant);
    const facts = { tenant_id: tenantIdOf(tenant), shard: this.deps.shard };
    this.deps.log.info(facts, 'router.tenant_caught_up');
    for (const event of held) this.take(event);
  }

  private saveSoon(): void {
    if (this.stopped) return;
    this.saving ??= setTimeout(() => {
      this.saving = undefined;
      this.follow(this.writer.save());
    }, SAVE_EVERY_MS);
  }

  private state(): BehindState['tenants'] {
    const known: BehindState['tenants'] = {};
    for (const [tenant, { state }] of this.tenants) if (state !== undefined) known[tenant] = state;
    return known;
  }
}
