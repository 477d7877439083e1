import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import type { EndpointHealthDocument, LastFailure } from '#infra/mongo/endpoint-health.ts';
import {
  type HealthFacts,
  type HealthRules,
  type Announcement,
  failingSince,
} from './transitions.ts';

/** The known health of an endpoint, and the rules that apply to it. */
export interface HealthStatus {
  facts: HealthFacts;
  announced: Announcement | null;
  rules: HealthRules;
  /** For people and receivers; null if the endpoint is not failing. */
  shown: { disables_at: string | null; last_failure: FailureResource | null };
}

export interface FailureResource {
  started_at: string;
  failure: LastFailure['failure'];
  response_status: number | null;
  detail: string | null;
}

/** @param disableAfterSeconds for an endpoint without its own setting */
export function healthStatusOf(
  health: EndpointHealthDocument,
  endpoint: EndpointDocument,
  disableAfterSeconds: number,
): HealthStatus {
  const facts: HealthFacts = {
    failingSinceMs: health.failing_since?.getTime() ?? null,
    lastFailureMs: health.last_failure?.at.getTime() ?? null,
    lastSuccessMs: health.last_success_at?.getTime() ?? null,
  };
  const rules: HealthRules = {
    active: endpoint.state === 'active',
    countFromMs: (endpoint.health_since ?? endpoint.created_at).getTime(),
    disableAfterMs: (endpoint.disable_after_seconds ?? disableAfterSeconds) * 1000,
  };
  const sinceMs = failingSince(facts, rules);
  const disablesAt =
    sinceMs === null || !rules.active ? null : new Date(sinceMs + rules.disableAfterMs);
  const shown = {
    disables_at: disablesAt?.toISOString() ?? null,
    last_failure: health.last_failure === null ? null : toFailureResource(health.last_failure),
  };
  return { facts, announced: announcementOf(health), rules, shown };
}

function announcementOf({ told: announced }: EndpointHealthDocument): Announcement | null {
  if (announced === null || announced === undefined) return null;
  return {
    episodeMs: announced.episode.getTime(),
    level: announced.level,
    atMs: announced.at.getTime(),
  };
}

function toFailureResource(failure: LastFailure): FailureResource {
  return {
    started_at: failure.at.toISOString(),
    failure: failure.failure,
    response_status: failure.status,
    detail: failure.detail,
  };
}
