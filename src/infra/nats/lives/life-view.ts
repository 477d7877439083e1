/**
 * Decides for which life of a tenant this process may act.
 *
 * A request that creates a tenant again is answered once every live process knows the new life
 * (`control/lives/life-views.ts`). From then on routers and workers drop messages of the old life,
 * and keys of the old life are refused. Each process keeps a lease in the bucket LEASES and answers
 * control.
 *
 * Ingress must not answer an event with 202 for a life that has ended by then:
 *
 * - It compares the life when it answers the event, not when the request arrives.
 * - The comparison counts only while the lease is valid by the monotonic clock. Without a lease
 *   (LEASES has no leader, the process was paused) it reads the bucket CONFIG before each answer.
 *
 * States of the lease: expired -> written -> caught up with CONFIG -> valid -> renewed each second,
 * or expired. A crash leaves a key that expires after `LEASE_MS`.
 */
import type { KV } from '@nats-io/kv';
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { lifeIdOf, lifeOf, tenantIdOf } from '#domain/tenant.ts';
import type { ConfigStore } from '../stores/config-store.ts';
import { LEASE_MS } from '../streams/streams.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import type { LifeViewAnswer } from '#wire/lives/life-view.ts';
import { leaseKeys, subjects } from '#wire/subjects.ts';

const RENEW_EVERY_MS = 1000;
/** The lease ends here before it ends by the server's clock. */
const MARGIN_MS = 500;

export interface LifeViewDeps {
  nc: NatsConnection;
  /** The bucket LEASES. */
  leases: KV;
  config: Pick<ConfigStore, 'catchUp' | 'currentTenant' | 'refreshTenant' | 'tenant'>;
  /** Unique name of this process: letters, digits, - and _. */
  me: string;
  log: Log;
  clock: Clock;
}

export class LifeView {
  readonly name = 'life-view';
  private readonly deps: LifeViewDeps;
  private readonly key: string;
  /** Monotonic milliseconds. */
  private validUntilMs = 0;
  private renewal: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private subscription: Subscription | undefined;

  constructor(deps: LifeViewDeps) {
    this.deps = deps;
    this.key = leaseKeys('view').worker(deps.me);
  }

  async start(): Promise<void> {
    const { nc, me } = this.deps;
    this.subscription = nc.subscribe(subjects.lifeView(me), {
      callback: (error, message) => {
        if (error === null) void this.answer(message);
      },
    });
    // Subscribed before the lease is written: control queries every process that has one.
    await nc.flush();
    await this.renew();
    this.timer = setInterval(() => void this.renew(), RENEW_EVERY_MS);
    this.timer.unref();
  }

  /** Call it once every request has been answered. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.renewal;
    this.validUntilMs = 0;
    await this.deps.leases.delete(this.key).catch(() => undefined);
    this.subscription?.unsubscribe();
  }

  /**
   * Whether an event stored for this tenant may be answered as accepted; false: call `confirm`.
   */
  isCurrent(tenant: TenantSnapshot): boolean {
    return this.deps.clock.monotonicMs() < this.validUntilMs && this.knows(tenant);
  }

  /**
   * As `isCurrent`, but reads the bucket CONFIG if this process has no lease.
   *
   * @throws if NATS does not answer
   */
  async confirm(tenant: TenantSnapshot): Promise<boolean> {
    if (this.deps.clock.monotonicMs() >= this.validUntilMs) {
      await this.deps.config.refreshTenant(tenant.id, this.deps.clock.monotonicMs());
    }
    return this.knows(tenant);
  }

  private knows(tenant: TenantSnapshot): boolean {
    return this.deps.config.tenant(lifeIdOf(tenant)) !== undefined;
  }

  private renew(): Promise<void> {
    this.renewal ??= this.writeLease().finally(() => {
      this.renewal = undefined;
    });
    return this.renewal;
  }

  private async writeLease(): Promise<void> {
    const { leases, config, me, log } = this.deps;
    const startedMs = this.deps.clock.monotonicMs();
    try {
      await leases.put(this.key, me);
      // While the lease was expired, control did not query this process about lives that began.
      if (this.deps.clock.monotonicMs() >= this.validUntilMs) await config.catchUp();
      this.validUntilMs = startedMs + LEASE_MS - MARGIN_MS;
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'lives.view_not_renewed');
    }
  }

  private async answer(message: Msg): Promise<void> {
    const lifeId = message.string();
    let answer: LifeViewAnswer = 'behind';
    try {
      await this.deps.config.refreshTenant(lifeId, this.deps.clock.monotonicMs());
      const known = this.deps.config.currentTenant(tenantIdOf(lifeId));
      if (known !== undefined && (known.life ?? 0) >= lifeOf(lifeId)) answer = 'known';
      message.respond(answer);
    } catch (error) {
      // Control repeats the query.
      this.deps.log.warn({ error: (error as Error).message }, 'lives.view_not_told');
    }
  }
}
