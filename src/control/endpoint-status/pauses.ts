import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { EndpointDocument, StoredPause } from '#infra/mongo/configuration.ts';
import type { EndpointResource } from '#wire/api/endpoint/endpoint.ts';
import type { EndpointPause, NewPause } from '#wire/api/endpoint/endpoint-pause.ts';
import type { ConfigurationDeps } from '../config-sync/change-tenant.ts';
import type { ChangeClaim } from '../idempotency/change-claim.ts';
import { changeEndpoint, type EndpointToChange } from './change-endpoint.ts';

export interface PausesDeps extends ConfigurationDeps {
  toResource: (endpoint: EndpointDocument) => EndpointResource;
}

/** Pauses and resumes endpoints (CT-2). `pause-ender.ts` ends a pause that has an end. */
export class Pauses {
  private readonly deps: PausesDeps;

  constructor(deps: PausesDeps) {
    this.deps = deps;
  }

  /**
   * Pauses an active endpoint, or replaces the reason and the end of its pause.
   *
   * @throws PosthornError POSTHORN_REQUEST_INVALID, POSTHORN_ENDPOINT_STATUS
   */
  pause(
    endpoint: EndpointToChange,
    body: NewPause,
    claim?: ChangeClaim<EndpointResource>,
  ): Promise<EndpointResource> {
    const pause = (known: EndpointDocument, { now }: { now: Date }): Partial<EndpointDocument> => {
      const endsAt = checkEnd(body.ends_at, now);
      refuseUnless(known.state !== 'disabled', 'is disabled');
      refuseUnless(known.state_reason !== 'unverified', 'is not verified');
      const isPaused = known.state === 'paused';
      return {
        state: 'paused',
        state_reason: 'operator',
        pause: {
          reason: body.reason ?? null,
          paused_at: (isPaused ? known.pause?.paused_at : undefined) ?? now,
          ends_at: endsAt,
        },
      };
    };
    return changeEndpoint(this.deps, endpoint, pause, this.deps.toResource, claim);
  }

  /**
   * Resumes a paused endpoint; an active one stays as it is.
   *
   * @throws PosthornError POSTHORN_ENDPOINT_STATUS
   */
  resume(
    endpoint: EndpointToChange,
    claim?: ChangeClaim<EndpointResource>,
  ): Promise<EndpointResource> {
    return changeEndpoint(this.deps, endpoint, resumedFields, this.deps.toResource, claim);
  }
}

function resumedFields(
  known: EndpointDocument,
  { now }: { now: Date },
): Partial<EndpointDocument> | undefined {
  refuseUnless(known.state !== 'disabled', 'is disabled');
  refuseUnless(known.state_reason !== 'unverified', 'is not verified');
  return known.state === 'active' ? undefined : activeFields(now);
}

/** The fields of an endpoint that becomes active: it gets the full failing time again. */
export function activeFields(now: Date): Partial<EndpointDocument> {
  return { state: 'active', state_reason: null, pause: null, health_since: now };
}

/** Returns the pause in its form in the API. */
export function toPauseResource({ state, pause }: EndpointDocument): EndpointPause | null {
  if (state !== 'paused' || pause === undefined || pause === null) return null;
  return {
    reason: pause.reason,
    paused_at: pause.paused_at.toISOString(),
    ends_at: pause.ends_at?.toISOString() ?? null,
  };
}

function checkEnd(text: string | null | undefined, now: Date): StoredPause['ends_at'] {
  if (text === undefined || text === null) return null;
  const endsAt = new Date(text);
  const aheadMs = endsAt.getTime() - now.getTime();
  if (aheadMs > 0 && aheadMs <= limits.pauseSecondsMax * 1000) return endsAt;
  const days = limits.pauseSecondsMax / (24 * 3600);
  throw new PosthornError('POSTHORN_REQUEST_INVALID', {
    fields: [{ pointer: '/ends_at', detail: `must be in the future, at most ${days} days ahead` }],
  });
}

/** @throws PosthornError POSTHORN_ENDPOINT_STATUS */
export function refuseUnless(isAllowed: boolean, detail: string): void {
  if (isAllowed) return;
  throw new PosthornError('POSTHORN_ENDPOINT_STATUS', { detail: `the endpoint ${detail}` });
}
