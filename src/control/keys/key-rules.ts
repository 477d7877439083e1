/** The rules for the settings of an API key (CT-8). */
import { holds, type Principal } from '#domain/authorization.ts';
import { type Capability, type KeyScope, scopePresets } from '#domain/capabilities.ts';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import type { ApiKeyDocument } from '#infra/mongo/configuration.ts';
import type { ApiKeyResource, NewApiKey } from '#wire/api/api-key.ts';

/** @throws PosthornError POSTHORN_REQUEST_INVALID that names every fault */
export function checkNewKey(body: NewApiKey, nowMs: number): Date | null {
  const fields: FieldError[] = [];
  if (body.scope === 'tenant' && body.tenant_id === undefined) {
    fields.push({ pointer: '/tenant_id', detail: 'is required for the scope tenant' });
  }
  if (body.scope === 'platform' && body.tenant_id !== undefined) {
    fields.push({ pointer: '/tenant_id', detail: 'must be absent for the scope platform' });
  }
  fields.push(...capabilityFaults(body.scope, body.capabilities));
  const expiresAt = toDate(body.expires_at);
  fields.push(...expiryFaults(expiresAt, nowMs));
  refuse(fields);
  return expiresAt;
}

/**
 * Checks the settings that a change or a rotation gives.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID that names every fault
 */
export function checkChangedKey(
  scope: KeyScope,
  given: { capabilities?: Capability[] | null | undefined; expires_at?: string | null | undefined },
  nowMs: number,
): void {
  const ofCapabilities = capabilityFaults(scope, given.capabilities ?? undefined);
  refuse([...ofCapabilities, ...expiryFaults(toDate(given.expires_at), nowMs)]);
}

/**
 * Checks that a caller holds everything that a key allows. Otherwise a key that manages keys could
 * create itself a more powerful one.
 *
 * @throws PosthornError POSTHORN_KEY_SCOPE
 */
export function checkGrant(caller: Principal, key: Pick<ApiKeyDocument, 'scope' | 'capabilities'>) {
  const lacking = capabilitiesOf(key).filter((each) => !holds(caller, each));
  if (lacking.length === 0) return;
  throw new PosthornError('POSTHORN_KEY_SCOPE', {
    detail: `the caller lacks capabilities of the key: ${lacking.join(', ')}`,
  });
}

/** Whether a key is neither expired nor revoked. */
export function isValid({ expires_at, revoked_at }: ApiKeyDocument, now: Date): boolean {
  return revoked_at === null && (expires_at === null || expires_at > now);
}

/** Absent or null: no time. */
export function toDate(text: string | null | undefined): Date | null {
  return text === null || text === undefined ? null : new Date(text);
}

/** Returns the resource, without the key and its digest. */
export function toResource(key: ApiKeyDocument, lastUsedAt: Date | undefined): ApiKeyResource {
  return {
    id: key.id,
    scope: key.scope,
    tenant_id: key.tenant,
    capabilities: [...capabilitiesOf(key)],
    name: key.name,
    revision: key.revision,
    created_at: key.created_at.toISOString(),
    expires_at: key.expires_at?.toISOString() ?? null,
    revoked_at: key.revoked_at?.toISOString() ?? null,
    last_used_at: lastUsedAt?.toISOString() ?? null,
    replaced_by_id: key.replaced_by ?? null,
    rate_limit: key.rate_limit ?? null,
  };
}

function capabilitiesOf(key: Pick<ApiKeyDocument, 'scope' | 'capabilities'>) {
  return key.capabilities ?? scopePresets[key.scope];
}

function capabilityFaults(scope: KeyScope, given: readonly Capability[] = []): FieldError[] {
  const allowed = scopePresets[scope];
  return given.flatMap((capability, index) =>
    allowed.includes(capability)
      ? []
      : [
          {
            pointer: `/capabilities/${index}`,
            detail: `must be one of ${allowed.join(', ')} for the scope ${scope}`,
          },
        ],
  );
}

function expiryFaults(expiresAt: Date | null, nowMs: number): FieldError[] {
  // Negated, so that an invalid date is rejected too.
  const isPast = expiresAt !== null && !(expiresAt.getTime() > nowMs);
  return isPast ? [{ pointer: '/expires_at', detail: 'must be in the future' }] : [];
}

function refuse(fields: FieldError[]): void {
  if (fields.length === 0) return;
  const detail = fields.map((field) => `${field.pointer} ${field.detail}`).join('; ');
  throw new PosthornError('POSTHORN_REQUEST_INVALID', { detail, fields });
}
