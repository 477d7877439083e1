/**
 * Creates a worker's outbound side: egress rules, DNS, connections, access tokens, local faults.
 */
import type { DeliverySettings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import { ProbeReceiver } from '#domain/canary.ts';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { isOutOfDescriptors } from '#infra/http/dial/local-fault.ts';
import { ResolverHealth, nameServersAnswer } from '#infra/http/dial/resolver-health.ts';
import type { LenientOrigins } from '#infra/http/exchange/lenient-origins.ts';
import { DnsCache, lookUpBySystem } from '#infra/http/dial/dns-cache.ts';
import { requestAccessToken } from '#infra/http/client/request-access-token.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { AccessTokens } from '../attempt/access-tokens.ts';
import type { DeliveryMetrics } from '../delivery-metrics.ts';
import { LocalFaults } from '../local-faults/local-faults.ts';
import { SenderPool } from '../attempt/sender-pool.ts';

/** Time limit of an access-token request; an attempt waits for it no longer than its own limit. */
const TOKEN_TIMEOUT_MS = 10_000;

export interface Outbound {
  guard: EgressGuard;
  probeReceiver: ProbeReceiver;
  senders: SenderPool;
  tokens: AccessTokens;
  localFaults: LocalFaults;
}

export function createOutbound(deps: {
  settings: DeliverySettings;
  metrics: DeliveryMetrics;
  clock: Clock;
  log: Log;
}): Outbound {
  const { settings, metrics, clock, log } = deps;
  const { guard, probeReceiver } = egressOf(settings);
  const { timeoutMs } = settings;
  const health = resolverHealthOf(settings, clock);
  const isResolverDown = (): boolean => health.isDown;
  const names = namesOf(metrics, health, clock);
  const senders = new SenderPool({ guard, probeReceiver, names, isResolverDown, timeoutMs, clock });
  const { lenientOrigins } = senders;
  const tokens = tokensOf({ guard, names, isResolverDown, lenientOrigins, metrics, clock });
  const localFaults = new LocalFaults({
    metrics,
    log,
    closeIdle: () => senders.closeIdle(),
    onFault: (fault) => health.noteFault(fault),
    now: clock.monotonicMs,
  });
  return { guard, probeReceiver, senders, tokens, localFaults };
}

/** The addresses that webhooks may go to. */
function egressOf(settings: DeliverySettings): {
  guard: EgressGuard;
  probeReceiver: ProbeReceiver;
} {
  return {
    guard: new EgressGuard(settings.egress.allow),
    probeReceiver: new ProbeReceiver(settings.egress.probeReceiverUrl),
  };
}

function resolverHealthOf(settings: DeliverySettings, clock: Clock): ResolverHealth {
  return new ResolverHealth({
    askControl: () => nameServersAnswer(settings.resolverControlName),
    isOutOfDescriptors,
    now: clock.monotonicMs,
  });
}

function namesOf(metrics: DeliveryMetrics, health: ResolverHealth, clock: Clock): DnsCache {
  return new DnsCache({
    lookUp: lookUpBySystem,
    now: clock.monotonicMs,
    onLookup: (outcome) => metrics.nameLookups.inc({ outcome }),
    health,
  });
}

function tokensOf(deps: {
  guard: EgressGuard;
  names: DnsCache;
  isResolverDown: () => boolean;
  lenientOrigins: LenientOrigins;
  metrics: DeliveryMetrics;
  clock: Clock;
}): AccessTokens {
  const { guard, names, isResolverDown, lenientOrigins, metrics, clock } = deps;
  return new AccessTokens({
    request: (credentials, tenant) =>
      requestAccessToken(credentials, {
        guard,
        lookUpAddresses: names.of(tenant),
        lenientOrigins: lenientOrigins.of(tenant),
        isResolverDown,
        timeoutMs: TOKEN_TIMEOUT_MS,
        clock,
      }),
    isResolverDown,
    now: clock.monotonicMs,
    onAnswer: (ok) => metrics.tokenRequests.inc({ outcome: ok ? 'success' : 'failure' }),
  });
}
