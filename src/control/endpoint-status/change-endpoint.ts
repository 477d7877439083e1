import { notFound } from '#domain/field-faults.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import { checkPreconditions, type Preconditions } from '#wire/revision.ts';
import {
  changeTenant,
  type ConfigurationDeps,
  type TenantChange,
} from '../config-sync/change-tenant.ts';
import type { ChangeClaim } from '../idempotency/change-claim.ts';

/** The path of an endpoint, and the conditions of a change of it. */
export interface EndpointToChange {
  tenant: string;
  id: string;
  preconditions?: Preconditions;
}

/**
 * Changes fields of an endpoint in one transaction.
 *
 * @param fieldsOf the new values; undefined: nothing changes, and the revision stays. May run
 *   several times.
 * @returns the endpoint after the change
 * @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_RESOURCE_UNKNOWN,
 *   POSTHORN_PRECONDITION_FAILED, and errors of `fieldsOf`
 */
export function changeEndpoint<T>(
  deps: ConfigurationDeps,
  { tenant, id, preconditions = {} }: EndpointToChange,
  fieldsOf: (
    known: EndpointDocument,
    context: TenantChange,
  ) => Partial<EndpointDocument> | undefined,
  toAnswer: (endpoint: EndpointDocument) => T,
  claim?: ChangeClaim<T>,
): Promise<T> {
  const { endpoints } = deps.configuration;
  const change = async (context: TenantChange): Promise<T> => {
    const { session, now, size } = context;
    const known = await endpoints.findOne({ _id: id, tenant }, { session });
    if (known === null) throw notFound('endpoint', id);
    checkPreconditions(preconditions, known.revision);
    const fields = fieldsOf(known, context);
    if (fields === undefined) return toAnswer(known);
    const changed = { ...known, ...fields, revision: known.revision + 1, updated_at: now };
    await endpoints.replaceOne({ _id: id }, changed, { session });
    size.replaced('endpoints', known, changed);
    return toAnswer(changed);
  };
  return changeTenant(deps, tenant, change, claim);
}
