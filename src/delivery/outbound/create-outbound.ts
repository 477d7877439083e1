/**
 * Creates a worker's outbound side: egress rules, DNS, connections, access tokens, local faults.
 */
import type { Settings } from '#config/schema.ts';
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
  settings: Settings;
  metrics: DeliveryMetrics;
  log: Log;
}): Outbound {
  const { settings, metrics, log } = deps;
  const { guard, probeReceiver } = egressOf(settings);
  const timeoutMs = settings.POSTHORN_DELIVERY_TIMEOUT_MS;
  const health = resolverHealthOf(settings);
  const isResolverDown = (): boolean => health.isDown;
  const names = namesOf(metrics, health);
  const senders = new SenderPool({ guard, probeReceiver, names, isResolverDown, timeoutMs });
  const { lenientOrigins } = senders;
  const tokens = tokensOf({ guard, names, isResolverDown, lenientOrigins, metrics });
  const localFaults = new LocalFaults({
    metrics,
    log,
    closeIdle: () => senders.closeIdle(),
    onFault: (fault) => health.noteFault(fault),
    now: () => performance.now(),
  });
  return { guard, probeReceiver, senders, tokens, localFaults };
}

/** The addresses that webhooks may go to. */
function egressOf(settings: Settings): { guard: EgressGuard; probeReceiver: ProbeReceiver } {
  return {
    guard: new EgressGuard(settings.POSTHORN_EGRESS_ALLOW),
    probeReceiver: new ProbeReceiver(settings.POSTHORN_PROBE_RECEIVER_URL),
  };
}

function resolverHealthOf(settings: Settings): ResolverHealth {
  return new ResolverHealth({
    askControl: () => nameServersAnswer(settings.POSTHORN_RESOLVER_CONTROL_NAME),
    isOutOfDescriptors,
    now: () => performance.now(),
  });
}

function namesOf(metrics: DeliveryMetrics, health: ResolverHealth): DnsCache {
  return new DnsCache({
    lookUp: lookUpBySystem,
    now: () => performance.now(),
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
}): AccessTokens {
  const { guard, names, isResolverDown, lenientOrigins, metrics } = deps;
  return new AccessTokens({
    request: (credentials, tenant) =>
      requestAccessToken(credentials, {
        guard,
        lookUpAddresses: names.of(tenant),
        lenientOrigins: lenientOrigins.of(tenant),
        isResolverDown,
        timeoutMs: TOKEN_TIMEOUT_MS,
      }),
    isResolverDown,
    now: () => performance.now(),
    onAnswer: (ok) => metrics.tokenRequests.inc({ outcome: ok ? 'success' : 'failure' }),
  });
}
