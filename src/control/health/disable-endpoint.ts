import { PosthornError } from '#domain/errors.ts';
import type { EndpointStatusReason } from '#domain/endpoint/endpoint.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import { changeTenant, type ConfigurationDeps } from '../config-sync/change-tenant.ts';
import { type OperationalEventDeps, enqueueOperationalEvents } from './operational-events.ts';

export interface DisableDeps extends ConfigurationDeps, OperationalEventDeps {}

export interface Disabling {
  tenant: string;
  endpoint: string;
  /** Disable only while the endpoint has this URL: a new URL deserves a try. */
  url: string;
  reason: Extract<EndpointStatusReason, 'gone' | 'failing'>;
  /** Facts to announce in addition to the endpoint and the reason. */
  facts?: Record<string, unknown>;
}

/**
 * Disables an active endpoint and announces it, in one transaction. Does nothing if the endpoint is
 * not active, has another URL, or is deleted: a repeat changes and announces nothing.
 */
export async function disableEndpoint(deps: DisableDeps, disabling: Disabling): Promise<void> {
  const { endpoints } = deps.configuration;
  const { tenant, endpoint, url, reason, facts } = disabling;
  const still = { _id: endpoint, tenant, url, state: 'active' as const };
  // Check outside the transaction first: callers repeat this often, and mostly there is nothing to
  // do.
  if ((await endpoints.countDocuments(still, { limit: 1 })) === 0) return;
  try {
    await changeTenant(deps, tenant, async (context) => {
      const { session, now, size } = context;
      const known = await endpoints.findOne(still, { session });
      if (known === null) return;
      const change: Pick<EndpointDocument, 'state' | 'state_reason'> = {
        state: 'disabled',
        state_reason: reason,
      };
      const revision = known.revision + 1;
      await endpoints.updateOne(
        { _id: endpoint },
        { $set: { ...change, revision, updated_at: now } },
        { session },
      );
      size.isBounded = false;
      size.replaced('endpoints', known, { ...known, ...change });
      const data = { tenant_id: tenant, endpoint_id: endpoint, url, reason, ...facts };
      const type = 'posthorn.endpoint.disabled';
      const lifeId = lifeIdOf({ id: tenant, life: context.tenant.life });
      const event = { tenant: lifeId, type, key: `${endpoint}:${revision}`, data } as const;
      await enqueueOperationalEvents(deps, [event], session);
    });
  } catch (error) {
    // Deleted at the same time: nothing is sent either.
    if (!(error instanceof PosthornError) || error.code !== 'POSTHORN_TENANT_UNKNOWN') throw error;
  }
}
