import type { SecureContext } from 'node:tls';
import type { Clock } from '#domain/clock.ts';
import type { ProbeReceiver } from '#domain/canary.ts';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { LenientOrigins } from '#infra/http/exchange/lenient-origins.ts';
import type { DnsCache } from '#infra/http/dial/dns-cache.ts';
import { Sender } from '#infra/http/client/sender.ts';

/**
 * For the probe's receiver only: the operator has named its host, and no other tenant's webhooks go
 * there.
 */
const anyAddress = new EgressGuard('0.0.0.0/0,::/0');

/** The origin of an endpoint's webhooks and the identity presented to it. */
export interface Destination {
  origin: string;
  /** The client certificate, identified by `id`. */
  certificate: { id: string; context: SecureContext } | undefined;
}

/**
 * Pool of senders: one for each tenant, origin and client certificate, shared by the tenant's
 * endpoints at that origin. Tenants do not share senders, so that hanging receivers use up only
 * their own tenant's connections. Certificates do not share them either, because a connection is
 * authenticated with one certificate.
 *
 * The last user to release a sender closes it. Users are active endpoints and attempts in flight,
 * so a configuration change does not abort an attempt.
 */
export class SenderPool {
  /** Outlives the senders. */
  readonly lenientOrigins: LenientOrigins;
  private readonly clock: Clock;
  private readonly guard: EgressGuard;
  private readonly probeReceiver: ProbeReceiver;
  private readonly names: Pick<DnsCache, 'of'>;
  private readonly isResolverDown: () => boolean;
  private readonly timeoutMs: number;
  private readonly senders = new Map<string, { sender: Sender; users: number }>();

  constructor(options: {
    guard: EgressGuard;
    probeReceiver: ProbeReceiver;
    names: Pick<DnsCache, 'of'>;
    isResolverDown: () => boolean;
    timeoutMs: number;
    clock: Clock;
  }) {
    this.clock = options.clock;
    this.lenientOrigins = new LenientOrigins(options.clock.monotonicMs);
    this.guard = options.guard;
    this.probeReceiver = options.probeReceiver;
    this.names = options.names;
    this.isResolverDown = options.isResolverDown;
    this.timeoutMs = options.timeoutMs;
  }

  acquire(tenant: string, destination: Destination): Sender {
    const key = keyOf(tenant, destination);
    let entry = this.senders.get(key);
    if (entry === undefined) {
      const { timeoutMs, isResolverDown, clock } = this;
      const { origin, certificate } = destination;
      const guard = this.probeReceiver.isAt(tenant, origin) ? anyAddress : this.guard;
      const tls = certificate === undefined ? {} : { secureContext: certificate.context };
      const lookUpAddresses = this.names.of(tenant);
      const lenientOrigins = this.lenientOrigins.of(tenant);
      const dial = { origin, guard, lookUpAddresses, isResolverDown, timeoutMs, clock, ...tls };
      const sender = new Sender({ ...dial, lenientOrigins });
      entry = { sender, users: 0 };
      this.senders.set(key, entry);
    }
    entry.users++;
    return entry.sender;
  }

  release(tenant: string, destination: Destination): void {
    const key = keyOf(tenant, destination);
    const entry = this.senders.get(key);
    if (entry === undefined || --entry.users > 0) return;
    this.senders.delete(key);
    entry.sender.close();
  }

  /** Closes the connections that no exchange uses. */
  closeIdle(): void {
    for (const { sender } of this.senders.values()) sender.closeIdle();
  }

  close(): void {
    for (const { sender } of this.senders.values()) sender.close();
    this.senders.clear();
  }
}

function keyOf(tenant: string, { origin, certificate }: Destination): string {
  return `${tenant} ${origin} ${certificate?.id ?? ''}`;
}
