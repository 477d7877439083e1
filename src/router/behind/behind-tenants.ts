/**
 * Shares the window of a shard's consumer between its tenants (design: docs/adr, "Tenants that are
 * behind"). An event of a tenant within its share of the unacked events is routed immediately. With
 * the first event over the share the tenant is behind: its events are acked, so that those of other
 * tenants arrive, and are routed as fast as the tenant's filters and fan-out allow
 * (`behind-tenant.ts`).
 *
 * A tenant with an event in flight for about 30 s, or nak'ed for about 60 s in all, is behind too,
 * so that the consumer's ack floor moves. After a reset all events above the floor are redelivered,
 * also those that are routed and acked. Their deliveries are dropped by their ids, which the server
 * knows for 2 minutes.
 *
 * An event of a tenant that is not behind costs its place in the window and nothing else.
 */
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
/** Ticks of `WORKING_EVERY_MS` after which an event is in flight for long. */
export const LONG_TICKS = 3;
/**
 * So for an event that is nak'ed: longer than the usual delays of large fan-outs, and its last nak
 * ends within the 2 minutes in which the server drops repeated deliveries.
 */
const LONG_REST_TICKS = 6;

export interface BehindTenantsDeps {
  shard: number;
  jsm: JetStreamManager;
  store: BehindStore;
  lives: TenantLives;
  /** Whether this process owns the shard, by the clock. */
  isOwner: () => boolean;
  route: (event: InFlightEvent) => void;
  /** Events that are not acked, in order of their arrival. */
  inFlight: () => Iterable<ConsumedEvent>;
  /** Another router wrote the key of the shard. */
  onOvertaken: () => void;
  onStep?: BehindShard['onStep'] | undefined;
  /** For tests: in place of `WORKING_EVERY_MS`. */
  tickMs?: number | undefined;
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
  private tick = 0;
  private saving: NodeJS.Timeout | undefined;
  private ticking: NodeJS.Timeout | undefined;
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
      const start = { target: state.last_seq, joined: [], isStored: true };
      for (const [tenant, { since, from, waiting }] of known) {
        this.follow(this.add(tenant, { ...start, since, from, waiting }).catchUp());
      }
    }
    const everyMs = this.deps.tickMs ?? WORKING_EVERY_MS;
    this.ticking = setInterval(() => this.onTick(), everyMs);
    this.ticking.unref();
  }

  /** Takes an event from the consumer, in the order of the stream. */
  take(event: ConsumedEvent): void {
    event.tick = this.tick;
    event.firstTick = this.shares?.firstTickOf(event.seq) ?? this.tick;
    const behind = this.tenants.size === 0 ? undefined : this.tenants.get(event.tenant);
    if (behind !== undefined) behind.take(event);
    else if (this.tryTake(event)) this.deps.route(event);
    else this.enter(event.tenant, event);
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
    clearInterval(this.ticking);
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

  private onTick(): void {
    this.tick++;
    const isLong = ({ tick }: ConsumedEvent): boolean => this.tick - tick >= LONG_TICKS;
    for (const tenant of this.tenants.values()) tenant.working(isLong);
    if (!this.isWanted()) return;
    const late = this.shares?.restingSince(this.tick - LONG_REST_TICKS) ?? new Set();
    for (const event of this.deps.inFlight()) if (isLong(event)) late.add(event.tenant);
    for (const tenant of late) if (!this.tenants.has(tenant)) this.enter(tenant, undefined);
  }

  /** @param first the event that exceeds the tenant's share, if one does */
  private enter(tenant: string, first: ConsumedEvent | undefined): void {
    const joined: ConsumedEvent[] = [];
    for (const event of this.deps.inFlight()) {
      if (event.tenant === tenant && event !== first) joined.push(event);
    }
    // Nak'ed events are read again, as their data is gone.
    const resting = (this.shares as WindowShares).readAgain(tenant, this.tick);
    const seqs = [...joined.map(({ seq }) => seq), ...resting];
    const target = Math.max(0, ...seqs);
    const unread = [first?.seq ?? target + 1, ...resting];
    const from = Math.min(...unread);
    const since = Math.min(from, ...seqs);
    const facts = { tenant_id: tenantIdOf(tenant), shard: this.deps.shard, seq: since };
    this.deps.log.warn(facts, 'router.tenant_behind');
    const waiting = resting.length;
    const start = { since, from, waiting, target, joined, isStored: false };
    this.follow(this.add(tenant, start).enter(first));
  }

  private add(
    tenant: string,
    start: {
      since: number;
      from: number;
      waiting: number;
      target: number;
      joined: readonly ConsumedEvent[];
      isStored: boolean;
    },
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
